select 'pg_index'::regclass::oid, c.oid, 0, n.nspname::text, c.relname::text, '', null, null, null,
    json_build_object('parent_schema', pn.nspname, 'parent', p.relname, 'table', t.relname)::text
from pg_inherits h
join pg_class c on c.oid = h.inhrelid join pg_namespace n on n.oid = c.relnamespace
join pg_class p on p.oid = h.inhparent join pg_namespace pn on pn.oid = p.relnamespace
join pg_index i on i.indexrelid = c.oid join pg_class t on t.oid = i.indrelid
where {user n} and c.relkind in ('i', 'I')
