select 'pg_publication_namespace'::regclass::oid, r.oid, 0, n.nspname::text, '', p.pubname::text, null, null, null, '{}'
from pg_publication_namespace r
join pg_publication p on p.oid = r.pnpubid
join pg_namespace n on n.oid = r.pnnspid
where {user n}
