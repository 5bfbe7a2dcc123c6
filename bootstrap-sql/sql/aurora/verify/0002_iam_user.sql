SELECT 'the user of the functions can log in and has no special rights',
       (SELECT rolcanlogin AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
        FROM pg_roles WHERE rolname = :'iam_user')
UNION ALL
SELECT 'the user of the functions is a member of rds_iam, or a note says why not',
       EXISTS (SELECT FROM pg_auth_members
               WHERE roleid = (SELECT oid FROM pg_roles WHERE rolname = 'rds_iam')
                 AND member = (SELECT oid FROM pg_roles WHERE rolname = :'iam_user'))
       OR EXISTS (SELECT FROM pgapp.schema_step
                  WHERE target = 'aurora' AND name = '0002_iam_user' AND notes <> '{}');
