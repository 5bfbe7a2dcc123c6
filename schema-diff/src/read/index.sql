select 'pg_class'::regclass::oid, ic.oid, 0, n.nspname::text, ic.relname::text, '', null, null, obj_description(ic.oid, 'pg_class'),
    json_build_object('table', c.relname, 'relkind', c.relkind, 'definition', pg_get_indexdef(i.indexrelid),
        'extras', json_build_object('clustered', i.indisclustered, 'replica_identity', i.indisreplident,
            'statistics', coalesce((select json_object_agg(a.attnum::text, a.attstattarget) from pg_attribute a
                where a.attrelid = i.indexrelid and a.attstattarget >= 0), '{}')))::text
from pg_index i
join pg_class ic on ic.oid = i.indexrelid
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where {user n} and c.relkind in ('r', 'p', 'm') and (i.indisvalid or c.relkind = 'p')
    and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
