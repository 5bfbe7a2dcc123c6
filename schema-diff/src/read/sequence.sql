select 'pg_class'::regclass::oid, c.oid, 0, n.nspname::text, c.relname::text, '', pg_get_userbyid(c.relowner)::text, {acl c.relacl},
    obj_description(c.oid, 'pg_class'),
    json_build_object('unlogged', c.relpersistence = 'u',
        'options', json_build_object('type', format_type(s.seqtypid, null), 'start', s.seqstart, 'increment', s.seqincrement,
            'min', s.seqmin, 'max', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle),
        'identity', exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
            and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0 and d.deptype = 'i'))::text
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_sequence s on s.seqrelid = c.oid
where {user n}
