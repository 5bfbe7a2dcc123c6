-- Columns of the relations of relations.sql, in attribute order ($1: plain names of the exposed schemas).
SELECT
  a.attrelid,
  a.attnum,
  a.attname,
  a.atttypid,
  a.attndims::integer,
  a.attnotnull,
  a.atthasdef AND a.attgenerated = '' OR a.attidentity = 'd' AS has_default,
  a.attgenerated <> '' OR a.attidentity = 'a' AS is_generated,
  -- A view's column can be written where it is one of the table below.
  c.relkind <> 'v' OR n.nspname = ANY ($1) AND pg_column_is_updatable(c.oid, a.attnum, FALSE) AS is_updatable
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_(toast|temp)'
  AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
