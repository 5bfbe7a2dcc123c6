SELECT 'everybody may have a recorded default evaluated',
       has_function_privilege(:'web_anon', 'pgapp.origin_default(text, text, text, text)', 'EXECUTE')
UNION ALL
SELECT 'nobody but the owner may record one',
       NOT has_table_privilege(:'web_anon', 'pgapp.origin_default', 'SELECT, INSERT, UPDATE, DELETE')
       AND NOT has_table_privilege(:'authenticator', 'pgapp.origin_default', 'SELECT, INSERT, UPDATE, DELETE')
UNION ALL
SELECT 'the function resolves names in the catalog only',
       (SELECT prosecdef AND 'search_path=pg_catalog, pg_temp' = ANY (proconfig)
        FROM pg_proc WHERE oid = 'pgapp.origin_default(text, text, text, text)'::regprocedure);
