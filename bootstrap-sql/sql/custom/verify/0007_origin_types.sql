SELECT 'the roles of the REST server have nothing to do with the record of types',
       NOT has_table_privilege(:'web_anon', 'pgapp.origin_type', 'SELECT, INSERT, UPDATE, DELETE')
       AND NOT has_table_privilege(:'authenticator', 'pgapp.origin_type', 'SELECT, INSERT, UPDATE, DELETE');
