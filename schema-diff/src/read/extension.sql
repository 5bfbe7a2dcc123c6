select 'pg_extension'::regclass::oid, e.oid, 0, '', e.extname::text, '', null, null, obj_description(e.oid, 'pg_extension'),
    json_build_object('schema', n.nspname, 'version', e.extversion,
        'usual_comment', (select a.comment from pg_available_extensions() a where a.name = e.extname))::text
from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where n.nspname !~ '^pgapp(_|$)' and e.extname <> 'pg_cron'
