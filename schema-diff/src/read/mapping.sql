select 'pg_user_mapping'::regclass::oid, u.oid, 0, '', s.srvname::text, coalesce(r.rolname, '')::text, null, null, null,
    json_build_object('options', coalesce((select json_agg(o order by o) from unnest(u.umoptions) o), '[]'))::text
from pg_user_mapping u
join pg_foreign_server s on s.oid = u.umserver
left join pg_roles r on r.oid = u.umuser
where s.srvname <> all ($1)
