select 'pg_attrdef'::regclass::oid, d.oid, 0, n.nspname::text, c.relname::text, a.attname::text, null, null, null,
    json_build_object('expression', pg_get_expr(d.adbin, d.adrelid), 'relkind', c.relkind)::text
from pg_attrdef d
join pg_class c on c.oid = d.adrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
where {user n} and a.attgenerated = '' and c.relkind in ('r', 'p', 'v', 'f')
