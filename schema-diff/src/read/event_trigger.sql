select 'pg_event_trigger'::regclass::oid, e.oid, 0, '', e.evtname::text, '', pg_get_userbyid(e.evtowner)::text, null,
    obj_description(e.oid, 'pg_event_trigger'),
    json_build_object('event', e.evtevent, 'tags', coalesce((select json_agg(x order by x) from unnest(e.evttags) x), '[]'),
        'function', quote_ident(n.nspname) || '.' || quote_ident(p.proname), 'enabled', e.evtenabled)::text
from pg_event_trigger e
join pg_proc p on p.oid = e.evtfoid
join pg_namespace n on n.oid = p.pronamespace
where n.nspname !~ '^pgapp(_|$)' and e.evtname !~ '^pgapp_'
