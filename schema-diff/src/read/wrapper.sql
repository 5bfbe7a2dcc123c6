select 'pg_foreign_data_wrapper'::regclass::oid, f.oid, 0, '', f.fdwname::text, '', pg_get_userbyid(f.fdwowner)::text, {acl f.fdwacl},
    obj_description(f.oid, 'pg_foreign_data_wrapper'),
    json_build_object('handler', nullif(f.fdwhandler::oid, 0)::regproc::text, 'validator', nullif(f.fdwvalidator::oid, 0)::regproc::text,
        'options', coalesce((select json_agg(o order by o) from unnest(f.fdwoptions) o), '[]'))::text
from pg_foreign_data_wrapper f
