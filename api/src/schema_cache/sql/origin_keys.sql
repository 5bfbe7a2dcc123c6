-- Keys that foreign tables have on the server they come from, in the shape of `constraints.sql`.
-- A key counts when all of its columns were imported, and (foreign keys) the referenced table too.
SELECT
  key.constraint_name,
  key.kind,
  tab.oid,
  key.table_schema,
  key.table_name,
  cols.numbers AS column_numbers,
  cols.names AS column_names,
  coalesce(ref.oid, 0::oid) AS confrelid,
  key.ref_schema,
  key.ref_table,
  refs.numbers AS ref_numbers,
  refs.names AS ref_names,
  FALSE AS inherited
FROM pgapp.origin_key key
JOIN pg_namespace tn ON tn.nspname = key.table_schema
JOIN pg_class tab ON tab.relnamespace = tn.oid AND tab.relname = key.table_name AND tab.relkind = 'f'
LEFT JOIN pg_namespace fn ON fn.nspname = key.ref_schema
LEFT JOIN pg_class ref ON ref.relnamespace = fn.oid AND ref.relname = key.ref_table
CROSS JOIN LATERAL (
  SELECT array_agg(att.attnum ORDER BY k.ord) AS numbers, array_agg(att.attname ORDER BY k.ord) AS names
  FROM unnest(key.columns) WITH ORDINALITY AS k (name, ord)
  JOIN pg_attribute att ON att.attrelid = tab.oid AND att.attname = k.name AND att.attnum > 0 AND NOT att.attisdropped
) AS cols
CROSS JOIN LATERAL (
  SELECT array_agg(att.attnum ORDER BY k.ord) AS numbers, array_agg(att.attname ORDER BY k.ord) AS names
  FROM unnest(key.ref_columns) WITH ORDINALITY AS k (name, ord)
  JOIN pg_attribute att ON att.attrelid = ref.oid AND att.attname = k.name AND att.attnum > 0 AND NOT att.attisdropped
) AS refs
WHERE key.kind IN ('p', 'u', 'f')
  AND cardinality(cols.numbers) = cardinality(key.columns)
  AND (key.kind <> 'f' OR cardinality(refs.numbers) = cardinality(key.ref_columns))
ORDER BY tab.oid, key.constraint_name
