-- Operators, with the names of those that came with the server.
SELECT
  oid,
  oprcode::oid,
  CASE WHEN oid < 16384 AND oprnamespace = 'pg_catalog'::regnamespace THEN oprname::text END AS name
FROM pg_operator
