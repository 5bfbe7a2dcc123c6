-- Columns of the relations of the exposed schemas ($1: plain schema names), in attribute order.
WITH RECURSIVE
-- Domains may stack, so each is followed down to the type it is made of.
domain_chain AS (
  SELECT oid AS domain, typbasetype AS base FROM pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT chain.domain, t.typbasetype
  FROM domain_chain chain
  JOIN pg_type t ON t.oid = chain.base AND t.typtype = 'd'
),
domains AS (
  SELECT chain.domain, base.oid AS base, base.typnamespace AS base_namespace
  FROM domain_chain chain
  JOIN pg_type base ON base.oid = chain.base AND base.typtype <> 'd'
)
SELECT
  a.attrelid,
  a.attnum,
  a.attname,
  descr.description,
  NOT (a.attnotnull OR t.typtype = 'd' AND t.typnotnull) AS nullable,
  -- Built-in types lose their modifier (it is reported as the maximum length); a user's type keeps it.
  CASE
    WHEN t.typtype = 'd' AND dom.base_namespace = 'pg_catalog'::regnamespace THEN format_type(dom.base, NULL)
    WHEN t.typtype <> 'd' AND t.typnamespace = 'pg_catalog'::regnamespace THEN format_type(a.atttypid, NULL)
    ELSE format_type(a.atttypid, a.atttypmod)
  END AS data_type,
  format_type(a.atttypid, a.atttypmod) AS nominal_type,
  CASE
    WHEN len.typmod = -1 THEN NULL
    WHEN len.typid IN ('bpchar'::regtype, 'varchar'::regtype) THEN len.typmod - 4
    WHEN len.typid IN ('bit'::regtype, 'varbit'::regtype) THEN len.typmod
  END AS max_length,
  CASE
    WHEN t.typbasetype <> 0 AND def.adbin IS NULL THEN pg_get_expr(t.typdefaultbin, 0)
    WHEN a.attidentity = 'd' THEN (
      SELECT format('nextval(%L)', dep.objid::regclass)
      FROM pg_depend dep
      WHERE dep.classid = 'pg_class'::regclass
        AND dep.refclassid = 'pg_class'::regclass
        AND dep.refobjid = a.attrelid
        AND dep.refobjsubid = a.attnum
        AND dep.deptype = 'i'
      LIMIT 1
    )
    WHEN a.attgenerated <> '' THEN NULL
    ELSE pg_get_expr(def.adbin, def.adrelid)
  END AS default_expression,
  coalesce(dom.base, a.atttypid) AS base_type,
  (
    SELECT el.typelem FROM pg_type el
    WHERE el.oid = coalesce(dom.base, a.atttypid) AND el.typcategory = 'A'
  ) AS element_type,
  CASE
    WHEN a.attgenerated <> '' THEN 'expression'
    WHEN a.attidentity = 'a' THEN 'identity'
    ELSE ''
  END AS generated
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_type t ON t.oid = a.atttypid
CROSS JOIN LATERAL (
  SELECT
    CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END AS typid,
    CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS typmod
) AS len
LEFT JOIN domains dom ON dom.domain = t.oid
LEFT JOIN pg_attrdef def ON def.adrelid = a.attrelid AND def.adnum = a.attnum
LEFT JOIN pg_description descr
  ON descr.classoid = 'pg_class'::regclass AND descr.objoid = a.attrelid AND descr.objsubid = a.attnum
WHERE n.nspname = ANY ($1)
  AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
  AND NOT c.relispartition
  AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
