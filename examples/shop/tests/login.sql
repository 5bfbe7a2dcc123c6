-- A login gives a token that the server takes, and a refresh token that is good once.
select pgapp_test.as('web_anon', null);
do $$
declare
  tokens json := api.login('Clerk@north.example', 'north');
  again json;
  parts text[] := string_to_array(tokens ->> 'access_token', '.');
  claims json := convert_from(decode(rpad(translate(parts[2], '-_', '+/'), (length(parts[2]) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::json;
begin
  assert array_length(parts, 1) = 3 and claims ->> 'role' = 'clerk' and claims ->> 'tenant' = 'north', 'claims';
  assert (claims ->> 'exp')::int > extract(epoch from now()), 'good for a while';
  again := api.refresh(tokens ->> 'refresh_token');
  assert again ->> 'refresh_token' <> tokens ->> 'refresh_token', 'another refresh token';
  begin
    perform api.refresh(tokens ->> 'refresh_token');
    raise exception 'a refresh token was good twice';
  exception when invalid_password then null;
  end;
end $$;
do $$
begin
  perform api.login('clerk@north.example', 'wrong');
  raise exception 'a wrong password was good';
exception when invalid_password then null;
end $$;
do $$
begin
  perform api.login('nobody@example.com', 'north');
  raise exception 'an unknown account was good';
exception when invalid_password then null;
end $$;
do $$
begin
  perform from shop.accounts;
  raise exception 'accounts were read';
exception when insufficient_privilege then null;
end $$;
