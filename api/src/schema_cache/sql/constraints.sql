-- Primary keys, unique constraints and foreign keys of every schema: views may show tables that are not exposed.
-- Of the system catalogs primary keys alone; they have no other constraints that matter.
SELECT
  con.conname,
  con.contype,
  con.conrelid,
  tn.nspname AS table_schema,
  tab.relname AS table_name,
  con.conkey AS column_numbers,
  cols.names AS column_names,
  con.confrelid,
  fn.nspname AS ref_schema,
  ref.relname AS ref_name,
  con.confkey AS ref_numbers,
  refs.names AS ref_names,
  con.conparentid <> 0 AS inherited
FROM pg_constraint con
JOIN pg_class tab ON tab.oid = con.conrelid
JOIN pg_namespace tn ON tn.oid = tab.relnamespace
LEFT JOIN pg_class ref ON ref.oid = con.confrelid
LEFT JOIN pg_namespace fn ON fn.oid = ref.relnamespace
CROSS JOIN LATERAL (
  SELECT array_agg(att.attname ORDER BY k.ord) AS names
  FROM unnest(con.conkey) WITH ORDINALITY AS k (num, ord)
  JOIN pg_attribute att ON att.attrelid = con.conrelid AND att.attnum = k.num
) AS cols
CROSS JOIN LATERAL (
  SELECT array_agg(att.attname ORDER BY k.ord) AS names
  FROM unnest(con.confkey) WITH ORDINALITY AS k (num, ord)
  JOIN pg_attribute att ON att.attrelid = con.confrelid AND att.attnum = k.num
) AS refs
WHERE con.contype IN ('p', 'u', 'f')
  AND (con.connamespace <> 'pg_catalog'::regnamespace OR con.contype = 'p')
ORDER BY con.conrelid, con.conname
