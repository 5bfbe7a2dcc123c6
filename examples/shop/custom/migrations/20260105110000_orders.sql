-- Row security for tables of the origin: a foreign table cannot have policies, so it stays in a schema that is not served,
-- and a view lets through what belongs to the tenant. security_barrier keeps a caller's functions away from other rows;
-- the check option keeps writes within the tenant.
create view api.customers with (security_barrier) as
  select id, tenant, name, email from public.customers where tenant = (select api.tenant())
  with check option;
create view api.orders with (security_barrier) as
  select id, tenant, customer_id, status, placed_at from public.orders where tenant = (select api.tenant())
  with check option;
create view api.lines with (security_barrier) as
  select l.order_id, l.n, l.sku, l.quantity, l.price, l.quantity * l.price as amount
  from public.lines as l
  where exists (select from public.orders as o where o.id = l.order_id and o.tenant = (select api.tenant()));
grant select, insert (tenant, name, email), update (name, email) on api.customers to clerk;
grant select, update (status) on api.orders to clerk;
grant select on api.lines to clerk;

-- An order with its lines in one transaction; the caller's rights do not reach the tables, so the function checks.
create function api.place_order(customer bigint, items jsonb) returns bigint
  language plpgsql security definer set search_path = ''
as $$
declare
  placed bigint;
begin
  if not exists (select from public.customers as c where c.id = customer and c.tenant = api.tenant()) then
    raise exception 'there is no customer %', customer using errcode = 'no_data_found';
  end if;
  if jsonb_typeof(items) is distinct from 'array' or jsonb_array_length(items) = 0 then
    raise exception 'an order has at least one item' using errcode = 'invalid_parameter_value';
  end if;
  insert into public.orders (tenant, customer_id) values (api.tenant(), customer) returning id into placed;
  insert into public.lines (order_id, n, sku, quantity, price)
  select placed, i.n, p.sku, (i.item ->> 'quantity')::int, p.price
  from jsonb_array_elements(items) with ordinality as i(item, n)
  join api.products as p on p.tenant = api.tenant() and p.sku = i.item ->> 'sku';
  if (select count(*) from public.lines as l where l.order_id = placed) <> jsonb_array_length(items) then
    raise exception 'an item is no product of this shop' using errcode = 'foreign_key_violation';
  end if;
  return placed;
end $$;
revoke execute on function api.place_order from public;
grant execute on function api.place_order to clerk;
