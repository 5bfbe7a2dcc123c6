-- What tests have besides SQL. Only in the database that they run on, never in the application's own.
CREATE SCHEMA pgapp_test;
GRANT USAGE ON SCHEMA pgapp_test TO PUBLIC;

-- No SET clause: what the function sets has to outlive it.
CREATE FUNCTION pgapp_test."as"(role text, claims json DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
AS $function$
DECLARE
    request_path constant text := pg_catalog.current_setting('pgapp_test.search_path');
    path text := pg_catalog.current_setting('search_path');
    setting text;
BEGIN
    -- Whoever the test is at the moment, it may become another.
    PERFORM pg_catalog.set_config('role', 'none', true);
    IF "as".role IS NULL OR NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = "as".role) THEN
        RAISE EXCEPTION 'there is no role "%"', "as".role USING ERRCODE = 'undefined_object';
    END IF;
    IF NOT pg_catalog.pg_has_role('authenticator', "as".role,
           CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
        RAISE EXCEPTION 'no request can run as the role "%": the REST server may not become it', "as".role
            USING ERRCODE = 'insufficient_privilege',
                  HINT = pg_catalog.format('GRANT %I TO authenticator lets it.', "as".role);
    END IF;
    IF claims IS NOT NULL AND pg_catalog.json_typeof(claims) NOT IN ('object', 'null') THEN
        RAISE EXCEPTION 'the claims of a token are an object, not %', claims USING ERRCODE = 'invalid_parameter_value';
    END IF;

    -- As the server does: settings of the role, then path, role and claims.
    FOR setting IN
        SELECT pg_catalog.unnest(s.setconfig)
        FROM pg_catalog.pg_db_role_setting AS s JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
        WHERE r.rolname = "as".role AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d
                                                              WHERE d.datname = pg_catalog.current_database()))
    LOOP
        PERFORM pg_catalog.set_config(pg_catalog.split_part(setting, '=', 1),
                                      pg_catalog.substr(setting, pg_catalog.strpos(setting, '=') + 1), true);
    END LOOP;
    -- What the test itself finds, such as pgTAP, stays in reach behind it.
    IF NOT pg_catalog.starts_with(path, request_path) THEN
        PERFORM pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', request_path, nullif(path, '')), true);
    END IF;
    PERFORM pg_catalog.set_config('request.jwt.claims',
        (CASE WHEN claims IS NULL OR pg_catalog.json_typeof(claims) = 'null' THEN '{}'::jsonb ELSE claims::jsonb END
         || pg_catalog.jsonb_build_object('role', "as".role))::text, true);
    PERFORM pg_catalog.set_config('role', "as".role, true);
END
$function$;

COMMENT ON FUNCTION pgapp_test."as"(text, json) IS
    'Goes on as a request with a token of this role and these claims; NULL claims are a request without one';
