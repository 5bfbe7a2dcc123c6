SELECT 'the user of the functions may connect and use public',
       has_database_privilege(:'iam_user', current_database(), 'CONNECT')
       AND has_schema_privilege(:'iam_user', 'public', 'USAGE')
UNION ALL
SELECT 'the user of the functions may ' || lower(verb) || ' animals',
       has_table_privilege(:'iam_user', 'public.animals', verb)
FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS verb
UNION ALL
SELECT 'the user of the functions may not truncate animals',
       NOT has_table_privilege(:'iam_user', 'public.animals', 'TRUNCATE')
UNION ALL
SELECT 'tables to come are included',
       EXISTS (SELECT FROM pg_default_acl AS d, aclexplode(d.defaclacl) AS acl
               WHERE d.defaclnamespace = 'public'::regnamespace
                 AND d.defaclobjtype = 'r'
                 AND d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
                 AND acl.grantee = (SELECT oid FROM pg_roles WHERE rolname = :'iam_user')
                 AND acl.privilege_type = 'INSERT');
