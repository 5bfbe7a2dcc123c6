-- The two roles of the REST server: a login without any rights of its own, and the role that it switches to for
-- requests without a token. Neither may ever be more than that, so existing roles of these names are brought to it.
-- No password here: the runner sets it at every run, outside of any file.
SELECT set_config('pgapp.authenticator', :'authenticator', true),
       set_config('pgapp.web_anon', :'web_anon', true);

DO $$
DECLARE
    authenticator constant text := current_setting('pgapp.authenticator');
    web_anon constant text := current_setting('pgapp.web_anon');
    wanted record;
    changes text;
BEGIN
    IF current_user IN (authenticator, web_anon) THEN
        RAISE EXCEPTION 'the role "%" runs this step and cannot be a role of the REST server', current_user
            USING HINT = 'Connect as the owner of the database.';
    END IF;

    FOR wanted IN
        SELECT * FROM (VALUES (authenticator, true), (web_anon, false)) AS t(name, login)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I', wanted.name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- Another database of this cluster was set up at the same moment.
            END;
        END IF;
        -- Only what differs is altered: a role is a row that all databases of the cluster share, and taking away an
        -- attribute needs rights that a managed service does not give.
        SELECT concat_ws(' ',
                   CASE WHEN rolcanlogin AND NOT wanted.login THEN 'NOLOGIN' END,
                   CASE WHEN NOT rolcanlogin AND wanted.login THEN 'LOGIN' END,
                   CASE WHEN rolinherit AND wanted.login THEN 'NOINHERIT' END,
                   CASE WHEN rolsuper THEN 'NOSUPERUSER' END,
                   CASE WHEN rolcreatedb THEN 'NOCREATEDB' END,
                   CASE WHEN rolcreaterole THEN 'NOCREATEROLE' END,
                   CASE WHEN rolreplication THEN 'NOREPLICATION' END,
                   CASE WHEN rolbypassrls THEN 'NOBYPASSRLS' END)
          INTO changes
          FROM pg_roles
         WHERE rolname = wanted.name;
        IF changes <> '' THEN
            EXECUTE format('ALTER ROLE %I %s', wanted.name, changes);
        END IF;
    END LOOP;

    IF NOT EXISTS (SELECT FROM pg_auth_members
                   WHERE roleid = (SELECT oid FROM pg_roles WHERE rolname = web_anon)
                     AND member = (SELECT oid FROM pg_roles WHERE rolname = authenticator)) THEN
        EXECUTE format('GRANT %I TO %I', web_anon, authenticator);
    END IF;
END
$$;
