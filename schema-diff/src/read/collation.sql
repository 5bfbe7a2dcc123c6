select 'pg_collation'::regclass::oid, c.oid, 0, n.nspname::text, c.collname::text, '', pg_get_userbyid(c.collowner)::text, null,
    obj_description(c.oid, 'pg_collation'),
    json_build_object('provider', c.collprovider, 'deterministic', c.collisdeterministic,
        'collate', to_jsonb(c) ->> 'collcollate', 'ctype', to_jsonb(c) ->> 'collctype',
        'locale', coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'),
        'rules', to_jsonb(c) ->> 'collicurules')::text
from pg_collation c
join pg_namespace n on n.oid = c.collnamespace
where {user n}
