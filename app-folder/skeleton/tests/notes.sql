-- Each file runs on a database made from migrations and seed, in a transaction that is rolled back. It fails by raising.

-- Without a token, only public notes are there.
select pgapp_test.as('web_anon', null);
do $$
begin
  assert (select count(*) from api.notes) = 1, 'anonymous reads one note';
end $$;

-- Ann sees what is hers besides, and writes in her own name.
select pgapp_test.as('member', '{"sub": "ann"}');
insert into api.notes (body) values ('Another one');
do $$
begin
  assert (select count(*) from api.notes) = 3, 'Ann reads three notes';
  assert not exists (select from api.notes where owner = 'bob'), 'Ann reads nothing of Bob''s';
  update api.notes set body = 'Hers' where owner = 'bob';
  assert not found, 'Ann changes nothing of Bob''s';
end $$;
