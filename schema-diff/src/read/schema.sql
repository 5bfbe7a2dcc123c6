select 'pg_namespace'::regclass::oid, n.oid, 0, '', n.nspname::text, '', pg_get_userbyid(n.nspowner)::text, {acl n.nspacl},
    obj_description(n.oid, 'pg_namespace'), '{}'
from pg_namespace n where {user n}
