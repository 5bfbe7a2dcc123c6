select 'pg_policy'::regclass::oid, p.oid, 0, n.nspname::text, c.relname::text, p.polname::text, null, null,
    obj_description(p.oid, 'pg_policy'),
    json_build_object('command', p.polcmd, 'permissive', p.polpermissive,
        'roles', (select json_agg(coalesce(r.rolname, '') order by r.rolname) from unnest(p.polroles) o left join pg_roles r on r.oid = o),
        'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))::text
from pg_policy p
join pg_class c on c.oid = p.polrelid
join pg_namespace n on n.oid = c.relnamespace
where {user n}
