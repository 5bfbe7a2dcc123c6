-- Login with a password, without a service beside the database: docs/auth.md explains each part.
create extension if not exists pgcrypto with schema shop;

create table shop.secret (
  is_only_row boolean primary key default true check (is_only_row),
  jwt_secret text not null check (length(jwt_secret) >= 32)
);
create table shop.accounts (
  email text primary key,
  password_hash text not null,
  role text not null,
  tenant text not null
);
-- A refresh token is kept as its digest, is good once, and leads to the next one.
create table shop.sessions (
  token_digest bytea primary key,
  email text not null references shop.accounts on delete cascade,
  expires_at timestamptz not null default now() + interval '30 days'
);
create index sessions_email on shop.sessions (email);

create function shop.base64url(value bytea) returns text
  language sql immutable strict set search_path = ''
  return translate(encode(value, 'base64'), E'+/=\n', '-_');

-- HS256 by pgcrypto's HMAC.
create function shop.sign(claims jsonb) returns text
  language sql stable set search_path = ''
begin atomic
  with parts as (
    select shop.base64url('{"alg":"HS256","typ":"JWT"}'::bytea) || '.'
           || shop.base64url(convert_to(claims::text, 'UTF8')) as signed
  )
  select p.signed || '.' || shop.base64url(shop.hmac(p.signed::bytea, convert_to(s.jwt_secret, 'UTF8'), 'sha256'))
  from parts as p cross join shop.secret as s;
end;

create function shop.tokens(account shop.accounts) returns json
  language plpgsql volatile set search_path = ''
as $$
declare
  refresh constant text := encode(shop.gen_random_bytes(32), 'hex');
  expires constant int := extract(epoch from now() + interval '15 minutes')::int;
begin
  insert into shop.sessions (token_digest, email) values (shop.digest(refresh, 'sha256'), account.email);
  return json_build_object(
    'access_token', shop.sign(jsonb_build_object(
      'role', account.role, 'sub', account.email, 'tenant', account.tenant, 'exp', expires)),
    'refresh_token', refresh,
    'expires_at', expires);
end $$;

create function api.login(email text, password text) returns json
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  account shop.accounts;
begin
  select * into account from shop.accounts as a where a.email = lower(login.email);
  -- The same work and the same answer whether the account exists or not.
  if shop.crypt(password, coalesce(account.password_hash, shop.gen_salt('bf', 8))) is distinct from account.password_hash then
    raise exception 'email or password is wrong' using errcode = 'invalid_password';
  end if;
  return shop.tokens(account);
end $$;

create function api.refresh(token text) returns json
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  owner text;
  account shop.accounts;
begin
  delete from shop.sessions as s where s.token_digest = shop.digest(token, 'sha256') and s.expires_at > now()
  returning s.email into owner;
  select * into account from shop.accounts as a where a.email = owner;
  if not found then
    raise exception 'the refresh token is not good' using errcode = 'invalid_password';
  end if;
  return shop.tokens(account);
end $$;

revoke execute on all functions in schema shop from public;
revoke execute on function api.login, api.refresh from public;
grant execute on function api.login, api.refresh to web_anon, clerk;
