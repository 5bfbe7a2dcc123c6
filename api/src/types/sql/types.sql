-- Types, arrays among them, with what says how their values are written as JSON.
SELECT
  t.oid,
  n.nspname,
  t.typname,
  t.typtype,
  t.typelem,
  t.typbasetype,
  t.typnotnull,
  t.typdefault IS NOT NULL AS has_default,
  t.typrelid,
  -- What the server itself takes for an array; a few types have elements all the same.
  t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc AS is_array,
  -- A cast of a type's own makes its JSON; built-in types have none.
  t.oid >= 16384 AND EXISTS (
    SELECT FROM pg_cast c
    WHERE c.castsource = t.oid AND c.casttarget = 'json'::regtype AND c.castmethod = 'f'
  ) AS has_json_cast,
  ARRAY(
    SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder
  ) AS labels,
  obj_description(t.oid, 'pg_type') AS description
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
ORDER BY n.nspname, t.typname
