-- Without a token, a shop is named by a header; nothing else is open.
select pgapp_test.as('web_anon', null);
select set_config('request.headers', '{"x-tenant": "north"}', true);
do $$
begin
  assert (select array_agg(sku order by sku) from api.products where search @@ websearch_to_tsquery('english', 'nut'))
    = '{bolt,nut}', 'full text finds the word in either form';
end $$;
do $$
begin
  perform from api.orders;
  raise exception 'anonymous read orders';
exception when insufficient_privilege then null;
end $$;

select pgapp_test.as('clerk', '{"tenant": "south"}');
do $$
begin
  assert (select array_agg(p.sku || ' ' || t.name)
          from api.tags as t join api.product_tags as p on p.tag_id = t.id) = '{nut small}', 'tags of the south';
  insert into api.tags (name) values ('new');
  assert (select tenant from api.tags where name = 'new') = 'south', 'the tenant comes from the token';
end $$;
