-- Tables of the custom database have policies of their own.
create table api.products (
  tenant text not null,
  sku text not null check (sku <> ''),
  name text not null,
  description text not null default '',
  price numeric(10, 2) not null check (price >= 0),
  search tsvector generated always as (to_tsvector('english', name || ' ' || description)) stored,
  primary key (tenant, sku)
);
create index products_search on api.products using gin (search);
alter table api.products enable row level security;
grant select on api.products to web_anon, clerk;
grant insert (tenant, sku, name, description, price), update (name, description, price), delete on api.products to clerk;
-- A request without a token names the shop by the header X-Tenant; what is for sale is no secret.
create function api.asked_tenant() returns text
  language sql stable set search_path = ''
  return coalesce(api.tenant(), nullif(current_setting('request.headers', true), '')::json ->> 'x-tenant');
revoke execute on function api.asked_tenant from public;
grant execute on function api.asked_tenant to web_anon, clerk;
create policy for_sale on api.products for select to web_anon using (tenant = (select api.asked_tenant()));
create policy own_products on api.products to clerk
  using (tenant = (select api.tenant())) with check (tenant = (select api.tenant()));

create table api.tags (
  id bigint generated always as identity primary key,
  tenant text not null default api.tenant(),
  name text not null check (name <> ''),
  unique (tenant, name),
  unique (tenant, id)
);
-- Both ends belong to one tenant: the keys say so.
create table api.product_tags (
  tenant text not null default api.tenant(),
  sku text not null,
  tag_id bigint not null,
  primary key (tenant, sku, tag_id),
  foreign key (tenant, sku) references api.products on delete cascade,
  foreign key (tenant, tag_id) references api.tags (tenant, id) on delete cascade
);
create index product_tags_tag on api.product_tags (tenant, tag_id);
alter table api.tags enable row level security;
alter table api.product_tags enable row level security;
grant select, insert (name), update (name), delete on api.tags to clerk;
grant select, insert (sku, tag_id), delete on api.product_tags to clerk;
create policy own_tags on api.tags to clerk
  using (tenant = (select api.tenant())) with check (tenant = (select api.tenant()));
create policy own_product_tags on api.product_tags to clerk
  using (tenant = (select api.tenant())) with check (tenant = (select api.tenant()));
