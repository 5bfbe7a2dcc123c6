-- Where requests without a token may use public, whether they may write there too. Step 0003 grants reading and writing
-- in one; this one takes the writing back, of what exists and of what is to come, or gives it again.
-- Only what the bootstrapping user owns, and nothing that belongs to an extension, as in step 0003.
SELECT set_config('pgapp.web_anon', :'web_anon', true),
       set_config('pgapp.web_anon_may_use_public', :'web_anon_may_use_public', true),
       set_config('pgapp.web_anon_may_write', :'web_anon_may_write', true);

DO $$
DECLARE
    web_anon constant text := quote_ident(current_setting('pgapp.web_anon'));
    wanted constant boolean := current_setting('pgapp.web_anon_may_write')::boolean;
    granted constant boolean := EXISTS (
        SELECT FROM pg_default_acl AS d, aclexplode(d.defaclacl) AS acl
        WHERE d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
          AND d.defaclnamespace = 'public'::regnamespace
          AND d.defaclobjtype = 'r'
          AND acl.grantee = (SELECT oid FROM pg_roles WHERE rolname = current_setting('pgapp.web_anon'))
          AND acl.privilege_type = 'INSERT');
    verb constant text := CASE WHEN wanted THEN 'GRANT' ELSE 'REVOKE' END;
    direction constant text := CASE WHEN wanted THEN 'TO' ELSE 'FROM' END;
    name text;
BEGIN
    IF NOT current_setting('pgapp.web_anon_may_use_public')::boolean OR wanted = granted THEN
        RETURN;
    END IF;

    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public %s INSERT, UPDATE, DELETE ON TABLES %s %s',
                   verb, direction, web_anon);
    FOR name IN
        SELECT c.oid::regclass::text
        FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND pg_get_userbyid(c.relowner) = current_user
          AND NOT EXISTS (SELECT FROM pg_depend AS d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('%s INSERT, UPDATE, DELETE ON TABLE %s %s %s', verb, name, direction, web_anon);
    END LOOP;
END
$$;
