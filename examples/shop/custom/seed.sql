insert into shop.secret (jwt_secret) values ('only-for-a-laptop-0123456789-0123456789');
insert into shop.accounts (email, password_hash, role, tenant) values
  ('clerk@north.example', shop.crypt('north', shop.gen_salt('bf', 8)), 'clerk', 'north'),
  ('clerk@south.example', shop.crypt('south', shop.gen_salt('bf', 8)), 'clerk', 'south');
insert into api.products (tenant, sku, name, description, price) values
  ('north', 'nut', 'Nut', 'A hexagonal nut made of steel', 0.10),
  ('north', 'bolt', 'Bolt', 'Fits the nuts', 0.25),
  ('north', 'saw', 'Hand saw', 'For wood', 19.90),
  ('south', 'nut', 'Brass nut', 'Does not rust', 0.12);
insert into api.tags (tenant, name) values ('north', 'small'), ('north', 'tools'), ('south', 'small');
insert into api.product_tags (tenant, sku, tag_id)
select t.tenant, p.sku, t.id from api.tags as t join api.products as p on p.tenant = t.tenant
where (t.name = 'small' and p.sku in ('nut', 'bolt')) or (t.name = 'tools' and p.sku = 'saw');
refresh materialized view shop.sales;
