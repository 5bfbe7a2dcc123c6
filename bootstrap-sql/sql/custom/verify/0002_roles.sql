SELECT 'the login of the REST server can log in, inherits nothing and has no special rights',
       (SELECT rolcanlogin AND NOT (rolinherit OR rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication
                                    OR rolbypassrls)
        FROM pg_roles WHERE rolname = :'authenticator')
UNION ALL
SELECT 'the role of anonymous requests cannot log in and has no special rights',
       (SELECT NOT (rolcanlogin OR rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
        FROM pg_roles WHERE rolname = :'web_anon')
UNION ALL
SELECT 'the login may switch to the role of anonymous requests',
       pg_has_role(:'authenticator', :'web_anon', 'MEMBER')
UNION ALL
SELECT 'the role of anonymous requests is a member of nothing',
       NOT EXISTS (SELECT FROM pg_auth_members
                   WHERE member = (SELECT oid FROM pg_roles WHERE rolname = :'web_anon'));
