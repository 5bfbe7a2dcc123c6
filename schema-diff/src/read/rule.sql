select 'pg_rewrite'::regclass::oid, r.oid, 0, n.nspname::text, c.relname::text, r.rulename::text, null, null,
    obj_description(r.oid, 'pg_rewrite'),
    json_build_object('definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled, 'relkind', c.relkind)::text
from pg_rewrite r
join pg_class c on c.oid = r.ev_class
join pg_namespace n on n.oid = c.relnamespace
where {user n} and r.rulename <> '_RETURN'
