select 'pg_class'::regclass::oid, c.oid, 0, n.nspname::text, c.relname::text, '', pg_get_userbyid(c.relowner)::text, {acl c.relacl},
    obj_description(c.oid, 'pg_class'),
    json_build_object('kind', c.relkind, 'unlogged', c.relpersistence = 'u',
        'options', coalesce((select json_agg(o order by o) from unnest(c.reloptions) o), '[]'),
        'toast_options', coalesce((select json_agg(o order by o) from pg_class t, unnest(t.reloptions) o where t.oid = c.reltoastrelid), '[]'),
        'access_method', case when c.relkind in ('r', 'm') then am.amname end,
        'row_security', c.relrowsecurity, 'force_row_security', c.relforcerowsecurity,
        'replica_identity', c.relreplident,
        'clustered', exists (select from pg_index i where i.indrelid = c.oid and i.indisclustered),
        'partition_key', pg_get_partkeydef(c.oid), 'populated', c.relispopulated,
        'definition', case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
        'of_type', case when c.reloftype <> 0 then c.reloftype::regtype::text end,
        'server', s.srvname, 'imported', {imported},
        'server_options', coalesce((select json_agg(o order by o) from unnest(f.ftoptions) o), '[]'))::text
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_am am on am.oid = c.relam
left join pg_foreign_table f on f.ftrelid = c.oid
left join pg_foreign_server s on s.oid = f.ftserver
where {user n} and c.relkind in ('r', 'p', 'v', 'm', 'f')
