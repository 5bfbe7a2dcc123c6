-- What is in api is served; what is in shop is the application's own.
create schema api;
create schema shop;
comment on schema api is 'A shop for several tenants';

do $$
begin
  if not exists (select from pg_roles where rolname = 'clerk') then
    create role clerk;
  end if;
end $$;
grant clerk to authenticator;
grant usage on schema api to web_anon, clerk;

-- The token's claim "tenant": whose shop a request is about. NULL without one, which is equal to nothing.
create function api.tenant() returns text
  language sql stable set search_path = ''
  return nullif(current_setting('request.jwt.claims', true), '')::json ->> 'tenant';
revoke execute on function api.tenant from public;
grant execute on function api.tenant to web_anon, clerk;
