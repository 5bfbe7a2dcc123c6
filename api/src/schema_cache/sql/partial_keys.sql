-- Unique indexes over some rows of a table of the exposed schemas ($1: plain schema names), where no other unique index
-- has the same columns: then the columns alone say which one is meant.
WITH keys AS (
  SELECT
    i.indrelid,
    i.indpred IS NOT NULL AS is_partial,
    pg_get_expr(i.indpred, i.indrelid) AS predicate,
    ARRAY(
      SELECT a.attname::text
      FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, ord)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      WHERE k.ord <= i.indnkeyatts
      ORDER BY a.attname::text COLLATE "C"
    ) AS columns
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1)
    AND i.indisunique
    AND i.indisvalid
    AND i.indimmediate
    -- A key of expressions has no columns to be named by.
    AND i.indexprs IS NULL
)
SELECT indrelid, columns, min(predicate)
FROM keys
GROUP BY indrelid, columns
HAVING count(*) = 1 AND bool_and(is_partial)
