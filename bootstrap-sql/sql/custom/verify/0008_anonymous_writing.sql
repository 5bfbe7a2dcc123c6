SELECT 'anonymous requests may write to new tables in public exactly when that is wanted',
       (:'web_anon_may_use_public'::boolean AND :'web_anon_may_write'::boolean) = EXISTS (
           SELECT FROM pg_default_acl AS d, aclexplode(d.defaclacl) AS acl
           WHERE d.defaclnamespace = 'public'::regnamespace
             AND d.defaclobjtype = 'r'
             AND d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
             AND acl.grantee = (SELECT oid FROM pg_roles WHERE rolname = :'web_anon')
             AND acl.privilege_type = 'INSERT');
