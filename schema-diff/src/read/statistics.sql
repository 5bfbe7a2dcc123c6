select 'pg_statistic_ext'::regclass::oid, s.oid, 0, n.nspname::text, s.stxname::text, '', pg_get_userbyid(s.stxowner)::text, null,
    obj_description(s.oid, 'pg_statistic_ext'),
    json_build_object('kinds', s.stxkind,
        'parts', (select json_agg(x order by x) from (select a.attname::text as x from unnest(s.stxkeys) k join pg_attribute a on a.attrelid = s.stxrelid and a.attnum = k
            union all select unnest(pg_get_statisticsobjdef_expressions(s.oid))) it),
        'definition', pg_get_statisticsobjdef(s.oid), 'target', nullif(s.stxstattarget, -1),
        'table_schema', tn.nspname, 'table', c.relname)::text
from pg_statistic_ext s
join pg_namespace n on n.oid = s.stxnamespace
join pg_class c on c.oid = s.stxrelid
join pg_namespace tn on tn.oid = c.relnamespace
where {user n}
