-- What the functions may do: read and write rows, nothing else. Tables that the bootstrapping user makes later are
-- included by default privileges, so that a new table needs no second visit. No DDL, no TRUNCATE, no ownership.
SELECT set_config('pgapp.iam_user', :'iam_user', true);

DO $$
BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), current_setting('pgapp.iam_user'));
END
$$;

GRANT USAGE ON SCHEMA public TO :"iam_user";
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE public.animals TO :"iam_user";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"iam_user";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO :"iam_user";
