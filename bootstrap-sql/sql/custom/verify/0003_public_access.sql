SELECT 'new tables in public are open to anonymous requests exactly when that is wanted',
       :'web_anon_may_use_public'::boolean = EXISTS (
           SELECT FROM pg_default_acl AS d, aclexplode(d.defaclacl) AS acl
           WHERE d.defaclnamespace = 'public'::regnamespace
             AND d.defaclobjtype = 'r'
             AND d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
             AND acl.grantee = (SELECT oid FROM pg_roles WHERE rolname = :'web_anon')
             AND acl.privilege_type = 'SELECT')
UNION ALL
SELECT 'anonymous requests may read the tables of this user in public when that is wanted',
       NOT :'web_anon_may_use_public'::boolean OR NOT EXISTS (
           SELECT FROM pg_class AS c
           WHERE c.relnamespace = 'public'::regnamespace
             AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
             AND pg_get_userbyid(c.relowner) = current_user
             AND NOT has_table_privilege(:'web_anon', c.oid, 'SELECT')
             AND NOT EXISTS (SELECT FROM pg_depend AS d
                             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'));
