select 'pg_trigger'::regclass::oid, t.oid, 0, n.nspname::text, c.relname::text, t.tgname::text, null, null,
    obj_description(t.oid, 'pg_trigger'),
    json_build_object('definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled, 'relkind', c.relkind)::text
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
join pg_namespace n on n.oid = c.relnamespace
where {user n} and not t.tgisinternal and t.tgparentid = 0
