insert into public.customers (id, tenant, name, email) values
  (1, 'north', 'Ann', 'ann@example.com'),
  (2, 'north', 'Bob', 'bob@example.com'),
  (3, 'south', 'Cy', 'cy@example.com');
insert into public.orders (id, tenant, customer_id, status, placed_at) values
  (1, 'north', 1, 'sent', '2026-01-05 10:00+00'),
  (2, 'north', 2, 'open', '2026-01-06 11:00+00'),
  (3, 'south', 3, 'paid', '2026-01-06 12:00+00');
insert into public.lines (order_id, n, sku, quantity, price) values
  (1, 1, 'nut', 100, 0.10), (1, 2, 'bolt', 50, 0.25),
  (2, 1, 'saw', 1, 19.90),
  (3, 1, 'nut', 10, 0.12);
-- What the rows above have taken by hand.
select setval(pg_get_serial_sequence('public.customers', 'id'), 3);
select setval(pg_get_serial_sequence('public.orders', 'id'), 3);
