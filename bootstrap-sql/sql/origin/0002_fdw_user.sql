-- The login with which another database reads and writes this one's tables through postgres_fdw: rows of what is in
-- public, and nothing else. Without it the way over would be the owner's, who may drop everything and whose password
-- the service may replace at any time. Off unless wanted: a laptop joins its databases with the documented users.
-- No password here: the runner sets it at every run, outside of any file.
SELECT set_config('pgapp.with_fdw_user', :'with_fdw_user', true), set_config('pgapp.fdw_user', :'fdw_user', true);

DO $$
DECLARE
    fdw_user constant text := current_setting('pgapp.fdw_user');
    changes text;
    strange text;
    relation record;
BEGIN
    IF NOT current_setting('pgapp.with_fdw_user')::boolean THEN
        RETURN;
    END IF;
    IF fdw_user = current_user THEN
        RAISE EXCEPTION 'the role "%" runs this step and cannot be the login of the custom database', current_user
            USING HINT = 'Choose another name for the login.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = fdw_user) THEN
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', fdw_user);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- Another database of this cluster was set up at the same moment.
        END;
    END IF;
    -- Only what differs is altered, as taking away an attribute needs rights that a managed service does not give.
    SELECT concat_ws(' ',
               CASE WHEN NOT rolcanlogin THEN 'LOGIN' END,
               CASE WHEN rolsuper THEN 'NOSUPERUSER' END,
               CASE WHEN rolcreatedb THEN 'NOCREATEDB' END,
               CASE WHEN rolcreaterole THEN 'NOCREATEROLE' END,
               CASE WHEN rolreplication THEN 'NOREPLICATION' END,
               CASE WHEN rolbypassrls THEN 'NOBYPASSRLS' END)
      INTO changes
      FROM pg_roles
     WHERE rolname = fdw_user;
    IF changes <> '' THEN
        EXECUTE format('ALTER ROLE %I %s', fdw_user, changes);
    END IF;

    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), fdw_user);
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', fdw_user);
    -- What is there already; somebody else's tables are theirs to grant.
    FOR relation IN
        SELECT c.oid::regclass::text AS name, c.relkind = 'S' AS is_sequence, pg_has_role(c.relowner, 'USAGE') AS is_ours
          FROM pg_class AS c
         WHERE c.relnamespace = 'public'::regnamespace
           AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
           AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
         ORDER BY c.relname
    LOOP
        IF NOT relation.is_ours THEN
            strange := concat_ws(', ', strange, relation.name);
        ELSIF relation.is_sequence THEN
            EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %s TO %I', relation.name, fdw_user);
        ELSE
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %s TO %I', relation.name, fdw_user);
        END IF;
    END LOOP;
    IF strange IS NOT NULL THEN
        PERFORM set_config('pgapp.notes', format(
            'not reachable over the foreign data wrapper until their owners grant it to "%s": %s', fdw_user, strange), true);
    END IF;
    -- And what this user makes from now on.
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', fdw_user);
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO %I', fdw_user);
END
$$;
