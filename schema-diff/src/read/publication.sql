select 'pg_publication'::regclass::oid, p.oid, 0, '', p.pubname::text, '', pg_get_userbyid(p.pubowner)::text, null,
    obj_description(p.oid, 'pg_publication'),
    json_build_object('all_tables', p.puballtables, 'insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete,
        'truncate', p.pubtruncate, 'via_root', p.pubviaroot,
        'generated', case to_jsonb(p) ->> 'pubgencols' when 's' then 'stored' end)::text
from pg_publication p
