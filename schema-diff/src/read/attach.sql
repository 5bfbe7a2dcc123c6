select 'pg_inherits'::regclass::oid, h.inhrelid, h.inhseqno, n.nspname::text, c.relname::text,
    quote_ident(pn.nspname) || '.' || quote_ident(p.relname), null, null, null,
    json_build_object('parent_schema', pn.nspname, 'parent', p.relname, 'position', h.inhseqno, 'foreign', c.relkind = 'f',
        'bound', pg_get_expr(c.relpartbound, c.oid))::text
from pg_inherits h
join pg_class c on c.oid = h.inhrelid join pg_namespace n on n.oid = c.relnamespace
join pg_class p on p.oid = h.inhparent join pg_namespace pn on pn.oid = p.relnamespace
where {user n} and c.relkind in ('r', 'p', 'f')
