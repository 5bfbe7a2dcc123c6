-- Functions of all kinds: what a proof of nullability relies on. Names and sources of those alone that came with the
-- server.
SELECT
  oid,
  proisstrict,
  CASE WHEN oid < 16384 AND pronamespace = 'pg_catalog'::regnamespace THEN proname::text END AS name,
  CASE WHEN oid < 16384 AND pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' THEN prosrc END AS source
FROM pg_proc
