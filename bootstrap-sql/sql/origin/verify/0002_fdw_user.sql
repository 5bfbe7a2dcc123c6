SELECT 'the login of the custom database can log in and has no special rights, where it is wanted',
       NOT :'with_fdw_user'::boolean
       OR (SELECT rolcanlogin AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
           FROM pg_roles WHERE rolname = :'fdw_user')
UNION ALL
SELECT 'it owns nothing in public',
       NOT EXISTS (SELECT FROM pg_class
                   WHERE relnamespace = 'public'::regnamespace
                     AND relowner = (SELECT oid FROM pg_roles WHERE rolname = :'fdw_user'))
UNION ALL
SELECT 'it may read and write the rows of every table of the user who sets this up',
       NOT :'with_fdw_user'::boolean
       OR NOT EXISTS (SELECT FROM pg_class AS c
                      WHERE c.relnamespace = 'public'::regnamespace
                        AND c.relkind IN ('r', 'p')
                        AND c.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
                        AND NOT EXISTS (SELECT FROM pg_depend
                                        WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
                        AND NOT has_table_privilege((SELECT oid FROM pg_roles WHERE rolname = :'fdw_user'), c.oid,
                                                    'SELECT'));
