select 'pg_constraint'::regclass::oid, k.oid, 0, n.nspname::text, t.typname::text, k.conname::text, null, null,
    obj_description(k.oid, 'pg_constraint'),
    json_build_object('definition', pg_get_constraintdef(k.oid), 'valid', k.convalidated)::text
from pg_constraint k
join pg_type t on t.oid = k.contypid
join pg_namespace n on n.oid = t.typnamespace
where {user n} and {not_imported_type} and k.contype = 'c'
