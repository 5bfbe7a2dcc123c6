-- What is in the schema api is served: each table and view under its name, each function under /rpc/.
create schema api;
comment on schema api is 'Notes, and who may read them';

-- Requests without a token run as web_anon, those with one as the role that it names. Roles belong to the server, so one
-- may be there already.
do $$
begin
  if not exists (select from pg_roles where rolname = 'member') then
    create role member;
  end if;
end $$;
grant member to authenticator;
grant usage on schema api to web_anon, member;

-- The token's claim "sub": who asks.
create function api.me() returns text
  language sql stable set search_path = ''
  return nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub';
comment on function api.me is 'Whose token this is';
revoke execute on function api.me from public;
grant execute on function api.me to web_anon, member;

create table api.notes (
  id bigint generated always as identity primary key,
  owner text not null default api.me(),
  body text not null check (body <> ''),
  is_public boolean not null default false,
  created_at timestamptz not null default now()
);
comment on table api.notes is 'Short texts; those that are public are everybody''s to read';
create index notes_owner on api.notes (owner);

-- A grant says which verbs and columns, a policy says which rows.
grant select on api.notes to web_anon, member;
grant insert (body, is_public), update (body, is_public), delete on api.notes to member;
alter table api.notes enable row level security;
create policy public_notes on api.notes for select to web_anon, member using (is_public);
create policy own_notes on api.notes to member
  using (owner = (select api.me())) with check (owner = (select api.me()));
