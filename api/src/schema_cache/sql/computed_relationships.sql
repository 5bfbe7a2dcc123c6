-- Functions from one row type to another: each is a relationship between their relations.
-- Both ends must be exposed ($1: plain schema names); the function may live anywhere.
WITH row_types AS (
  SELECT c.reltype, n.nspname AS rel_schema, c.relname AS rel_name
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p')
    AND n.nspname = ANY ($1)
)
SELECT
  pn.nspname AS function_schema,
  p.proname AS function_name,
  source.rel_schema AS table_schema,
  source.rel_name AS table_name,
  target.rel_schema AS foreign_table_schema,
  target.rel_name AS foreign_table_name,
  NOT p.proretset OR p.prorows = 1 AS to_one
FROM pg_proc p
JOIN pg_namespace pn ON pn.oid = p.pronamespace
JOIN row_types source ON source.reltype = p.proargtypes[0]
JOIN row_types target ON target.reltype = p.prorettype
WHERE p.pronargs = 1
ORDER BY p.oid
