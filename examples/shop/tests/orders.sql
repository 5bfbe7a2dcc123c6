-- An order is placed whole or not at all.
select pgapp_test.as('clerk', '{"tenant": "north"}');
do $$
declare
  placed bigint := api.place_order(1, '[{"sku": "nut", "quantity": 4}, {"sku": "saw", "quantity": 1}]');
begin
  assert (select array_agg(sku || ' ' || amount order by n) from api.lines where order_id = placed)
    = '{nut 0.40,saw 19.90}', 'lines with the prices of the shop';
  assert (select status from api.orders where id = placed) = 'open', 'an open order';
end $$;
do $$
begin
  perform api.place_order(3, '[{"sku": "nut", "quantity": 1}]');
  raise exception 'ordered for a customer of another shop';
exception when no_data_found then null;
end $$;
do $$
begin
  perform api.place_order(1, '[{"sku": "none", "quantity": 1}]');
  raise exception 'ordered what is not for sale';
exception when foreign_key_violation then null;
end $$;
do $$
begin
  perform api.place_order(1, '[]');
  raise exception 'ordered nothing';
exception when invalid_parameter_value then null;
end $$;
