-- Comment of one schema ($1: plain name).
SELECT obj_description(n.oid, 'pg_namespace') FROM pg_namespace n WHERE n.nspname = $1
