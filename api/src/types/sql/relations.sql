-- Relations with rows, and composite types, outside of the system's schemas.
--
-- `events` is the bit mask of pg_relation_is_updatable without triggers, asked of the views of the exposed schemas
-- ($1: plain names).
SELECT
  c.oid,
  n.nspname,
  c.relname,
  c.relkind,
  CASE
    WHEN c.relkind = 'v' AND n.nspname = ANY ($1) THEN pg_relation_is_updatable(c.oid, FALSE)
    ELSE 0
  END AS events
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY n.nspname, c.relname
