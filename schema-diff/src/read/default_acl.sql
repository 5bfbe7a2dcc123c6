select pg_get_userbyid(d.defaclrole)::text, n.nspname::text, d.defaclobjtype::text, {acl d.defaclacl}
from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace
where n.nspname is null or {user n}
