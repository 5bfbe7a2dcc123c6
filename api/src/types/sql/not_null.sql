-- Columns of tables that hold no null: declared so, here and in every table that inherits from it, by a constraint
-- that was validated. A foreign table's declarations are held by no one, so neither it nor a table above it counts.
WITH RECURSIVE
below AS (
  SELECT inhparent AS root, inhrelid AS child FROM pg_inherits
  UNION
  SELECT below.root, i.inhrelid FROM below JOIN pg_inherits i ON i.inhparent = below.child
),
held AS (
  SELECT a.attrelid, a.attnum, a.attname
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  WHERE c.relkind IN ('r', 'p')
    AND a.attnum > 0
    AND a.attnotnull
    AND NOT a.attisdropped
    AND NOT EXISTS (
      SELECT FROM pg_constraint con
      WHERE con.conrelid = a.attrelid
        AND con.contype = 'n'
        AND con.conkey = ARRAY[a.attnum]
        AND NOT con.convalidated
    )
)
SELECT held.attrelid, held.attnum
FROM held
WHERE NOT EXISTS (
  SELECT
  FROM below
  LEFT JOIN held AS its ON its.attrelid = below.child AND its.attname = held.attname
  WHERE below.root = held.attrelid AND its.attrelid IS NULL
)
