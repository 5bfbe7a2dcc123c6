-- Whether keys of foreign tables were recorded, and may be read.
-- Not `to_regclass`: it raises an error where the schema may not be used.
SELECT EXISTS (
  SELECT
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE n.nspname OPERATOR(pg_catalog.=) 'pgapp'
    AND c.relname OPERATOR(pg_catalog.=) 'origin_key'
    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
)
