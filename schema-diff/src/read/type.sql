select 'pg_type'::regclass::oid, t.oid, 0, n.nspname::text, t.typname::text, '', pg_get_userbyid(t.typowner)::text, {acl t.typacl},
    coalesce(obj_description(t.oid, 'pg_type'), obj_description(c.oid, 'pg_class')),
    json_build_object('kind', t.typtype,
        'labels', coalesce((select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid), '[]'),
        'attributes', coalesce((select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                'collation', case when a.attcollation <> at.typcollation then a.attcollation::regcollation::text end,
                'comment', col_description(c.oid, a.attnum)) order by a.attnum)
            from pg_attribute a join pg_type at on at.oid = a.atttypid
            where c.relkind = 'c' and a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]'),
        'base', case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
        'default', coalesce(pg_get_expr(t.typdefaultbin, 'pg_type'::regclass), t.typdefault), 'not_null', t.typnotnull,
        'collation', case when t.typtype = 'd' and t.typcollation <> bt.typcollation then t.typcollation::regcollation::text end,
        'range', (select json_build_object('subtype', format_type(r.rngsubtype, null),
                'collation', case when r.rngcollation <> st.typcollation then r.rngcollation::regcollation::text end,
                'opclass', (select quote_ident(ocn.nspname) || '.' || quote_ident(oc.opcname) from pg_opclass oc
                    join pg_namespace ocn on ocn.oid = oc.opcnamespace where oc.oid = r.rngsubopc and not oc.opcdefault),
                'subtype_diff', nullif(r.rngsubdiff::oid, 0)::regproc::text, 'canonical', nullif(r.rngcanonical::oid, 0)::regproc::text,
                'multirange', (select json_build_array(mn.nspname, m.typname) from pg_type m
                    join pg_namespace mn on mn.oid = m.typnamespace where m.oid = r.rngmultitypid))
            from pg_range r join pg_type st on st.oid = r.rngsubtype where r.rngtypid = t.oid))::text
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
left join pg_class c on c.oid = t.typrelid
left join pg_type bt on bt.oid = t.typbasetype
where {user n} and {not_imported_type} and (t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c'))
