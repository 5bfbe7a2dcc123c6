SELECT 'the login of the REST server may read the recorded keys',
       has_schema_privilege(:'authenticator', 'pgapp', 'USAGE')
       AND has_table_privilege(:'authenticator', 'pgapp.origin_key', 'SELECT')
UNION ALL
SELECT 'the login of the REST server may not write bookkeeping',
       NOT has_table_privilege(:'authenticator', 'pgapp.origin_key', 'INSERT, UPDATE, DELETE, TRUNCATE')
       AND NOT has_table_privilege(:'authenticator', 'pgapp.schema_step', 'SELECT, INSERT, UPDATE, DELETE')
       AND NOT has_schema_privilege(:'authenticator', 'pgapp', 'CREATE');
