-- On a laptop, requests without a token may read and write what the bootstrapping user creates in public: tables,
-- views, foreign tables, sequences and functions, those that exist and those to come. Elsewhere nothing is granted.
-- Switched off later, what this step once granted is taken back; grants made by hand before it was ever on stay.
SELECT set_config('pgapp.web_anon', :'web_anon', true),
       set_config('pgapp.web_anon_may_use_public', :'web_anon_may_use_public', true);

DO $$
DECLARE
    web_anon constant text := quote_ident(current_setting('pgapp.web_anon'));
    wanted constant boolean := current_setting('pgapp.web_anon_may_use_public')::boolean;
    granted constant boolean := EXISTS (
        SELECT FROM pg_default_acl AS d, aclexplode(d.defaclacl) AS acl
        WHERE d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
          AND d.defaclnamespace = 'public'::regnamespace
          AND acl.grantee = (SELECT oid FROM pg_roles WHERE rolname = current_setting('pgapp.web_anon')));
    verb constant text := CASE WHEN wanted THEN 'GRANT' ELSE 'REVOKE' END;
    direction constant text := CASE WHEN wanted THEN 'TO' ELSE 'FROM' END;
    object record;
BEGIN
    IF NOT wanted AND NOT granted THEN
        RETURN;
    END IF;

    EXECUTE format('%s USAGE ON SCHEMA public %s %s', verb, direction, web_anon);
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public %s SELECT, INSERT, UPDATE, DELETE ON TABLES %s %s',
                   verb, direction, web_anon);
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public %s USAGE, SELECT ON SEQUENCES %s %s',
                   verb, direction, web_anon);
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public %s EXECUTE ON ROUTINES %s %s',
                   verb, direction, web_anon);

    -- What exists: only what this user owns, and nothing that belongs to an extension.
    FOR object IN
        SELECT CASE WHEN c.relkind = 'S' THEN 'USAGE, SELECT ON SEQUENCE'
                    ELSE 'SELECT, INSERT, UPDATE, DELETE ON TABLE' END AS what,
               c.oid::regclass::text AS name
        FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          AND pg_get_userbyid(c.relowner) = current_user
          AND NOT EXISTS (SELECT FROM pg_depend AS d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT 'EXECUTE ON ROUTINE', p.oid::regprocedure::text
        FROM pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace
          AND pg_get_userbyid(p.proowner) = current_user
          AND p.prokind <> 'a'
          AND NOT EXISTS (SELECT FROM pg_depend AS d
                          WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('%s %s %s %s %s', verb, object.what, object.name, direction, web_anon);
    END LOOP;
END
$$;
