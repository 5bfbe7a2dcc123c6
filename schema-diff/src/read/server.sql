select 'pg_foreign_server'::regclass::oid, s.oid, 0, '', s.srvname::text, '', pg_get_userbyid(s.srvowner)::text, {acl s.srvacl},
    obj_description(s.oid, 'pg_foreign_server'),
    json_build_object('wrapper', f.fdwname, 'type', s.srvtype, 'version', s.srvversion,
        'options', coalesce((select json_agg(o order by o) from unnest(s.srvoptions) o), '[]'))::text
from pg_foreign_server s join pg_foreign_data_wrapper f on f.oid = s.srvfdw
where s.srvname <> all ($1)
