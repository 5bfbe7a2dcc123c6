select 'pg_constraint'::regclass::oid, k.oid, 0, n.nspname::text, c.relname::text, k.conname::text, null, null,
    obj_description(k.oid, 'pg_constraint'),
    json_build_object('kind', k.contype, 'definition', pg_get_constraintdef(k.oid), 'relkind', c.relkind,
        'deferrable', k.condeferrable, 'deferred', k.condeferred, 'valid', k.convalidated,
        'enforced', coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true),
        'inherited', k.coninhcount > 0,
        'columns', coalesce((select json_agg(a.attname) from unnest(k.conkey) x join pg_attribute a on a.attrelid = c.oid and a.attnum = x), '[]'),
        'references', case when k.contype = 'f' then (select json_build_array(rn.nspname, r.relname) from pg_class r
            join pg_namespace rn on rn.oid = r.relnamespace where r.oid = k.confrelid) end,
        'index', case when k.contype in ('p', 'u', 'x') then (
            select json_build_object('clustered', i.indisclustered, 'replica_identity', i.indisreplident,
                'statistics', coalesce((select json_object_agg(a.attnum::text, a.attstattarget) from pg_attribute a
                    where a.attrelid = i.indexrelid and a.attstattarget >= 0), '{}'))
            from pg_index i where i.indexrelid = k.conindid) end)::text
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where {user n} and k.contype in ('c', 'p', 'u', 'f', 'x') and not (k.contype = 'f' and k.conparentid <> 0)
