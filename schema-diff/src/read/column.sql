select 'pg_class'::regclass::oid, c.oid, a.attnum::int, n.nspname::text, c.relname::text, a.attname::text, pg_get_userbyid(c.relowner)::text, {acl a.attacl},
    col_description(c.oid, a.attnum),
    json_build_object('relkind', c.relkind, 'position', a.attnum, 'type', format_type(a.atttypid, a.atttypmod),
        'base_type', format_type(case when t.typtype = 'd' then t.typbasetype else a.atttypid end, null),
        'typmod', a.atttypmod,
        'not_null', a.attnotnull, 'generated', nullif(a.attgenerated, ''),
        'expression', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
        'identity', case when a.attidentity <> '' then (
            select json_build_object('always', a.attidentity = 'a', 'schema', sn.nspname, 'name', sc.relname,
                'sequence', json_build_object('type', format_type(q.seqtypid, null), 'start', q.seqstart, 'increment', q.seqincrement,
                    'min', q.seqmin, 'max', q.seqmax, 'cache', q.seqcache, 'cycle', q.seqcycle))
            from pg_depend sd join pg_class sc on sc.oid = sd.objid join pg_namespace sn on sn.oid = sc.relnamespace
            join pg_sequence q on q.seqrelid = sc.oid
            where sd.classid = 'pg_class'::regclass and sd.refclassid = 'pg_class'::regclass and sd.refobjid = c.oid
                and sd.refobjsubid = a.attnum and sd.deptype = 'i' limit 1) end,
        'collation', case when a.attcollation <> t.typcollation then a.attcollation::regcollation::text end,
        'storage', case when c.relkind in ('r', 'p', 'm', 'f') and a.attstorage <> t.typstorage then a.attstorage end,
        'usual_storage', t.typstorage,
        'compression', nullif(a.attcompression, ''), 'statistics', nullif(a.attstattarget, -1),
        'options', coalesce((select json_agg(o order by o) from unnest(a.attoptions) o), '[]'),
        'server_options', coalesce((select json_agg(o order by o) from unnest(a.attfdwoptions) o), '[]'),
        'inherited', a.attinhcount > 0)::text
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_type t on t.oid = a.atttypid
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where {user n} and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped
