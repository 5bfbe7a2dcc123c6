select 'pg_publication_rel'::regclass::oid, r.oid, 0, n.nspname::text, c.relname::text, p.pubname::text, null, null, null,
    json_build_object('where', pg_get_expr(r.prqual, r.prrelid),
        'columns', coalesce((select json_agg(a.attname order by a.attname) from unnest(r.prattrs) k
            join pg_attribute a on a.attrelid = r.prrelid and a.attnum = k), '[]'))::text
from pg_publication_rel r
join pg_publication p on p.oid = r.prpubid
join pg_class c on c.oid = r.prrelid
join pg_namespace n on n.oid = c.relnamespace
where {user n}
