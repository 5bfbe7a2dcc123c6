-- Relations and composite types whose rows some function returns, with what identifies them.
SELECT n.nspname, c.relname, c.oid
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.reltype IN (
  SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
  FROM pg_proc p
  JOIN pg_type t ON t.oid = p.prorettype
  WHERE t.typtype IN ('c', 'd')
)
