-- A clerk sees one shop, whichever way the rows come.
select pgapp_test.as('clerk', '{"tenant": "north"}');
do $$
begin
  assert (select array_agg(id order by id) from api.orders) = '{1,2}', 'orders of the north';
  assert (select count(*) from api.lines) = 3, 'lines of the north';
  assert (select array_agg(name order by name) from api.customers) = '{Ann,Bob}', 'customers of the north';
  assert (select count(*) from api.products) = 3, 'products of the north';
  assert (select sum(amount) from api.sales) = 42.40, 'sales of the north';
  update api.orders set status = 'paid' where id = 3;
  assert not found, 'the south''s order is out of reach';
  update api.orders set status = 'paid' where id = 2;
  assert found, 'the own order is within reach';
end $$;
do $$
begin
  insert into api.customers (tenant, name) values ('south', 'Stranger');
  raise exception 'inserted for another shop';
exception when with_check_option_violation then null;
end $$;
do $$
begin
  perform from public.orders;
  raise exception 'read past the view';
exception when insufficient_privilege then null;
end $$;

-- A token that names no shop sees none.
select pgapp_test.as('clerk', '{}');
do $$
begin
  assert not exists (select from api.orders) and not exists (select from api.products), 'no shop, no rows';
end $$;
