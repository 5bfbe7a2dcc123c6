select 'pg_sequence'::regclass::oid, c.oid, 0, n.nspname::text, c.relname::text, '', null, null, null,
    json_build_object('schema', tn.nspname, 'table', t.relname, 'column', a.attname)::text
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass
    and d.refobjsubid > 0 and d.deptype = 'a'
join pg_class t on t.oid = d.refobjid
join pg_namespace tn on tn.oid = t.relnamespace
join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
where {user n} and c.relkind = 'S'
