-- Whether keys of foreign tables were recorded, and may be read.
-- Not `to_regclass`: it raises an error where the schema may not be used.
SELECT EXISTS (
  SELECT
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'pgapp'
    AND c.relname = 'origin_key'
    AND has_schema_privilege(n.oid, 'USAGE')
    AND has_table_privilege(c.oid, 'SELECT')
)
