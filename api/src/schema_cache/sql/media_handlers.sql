-- Handlers of media types: a media type is a domain named like one (or `*/*`, which answers as octets).
--
-- Two kinds, both in the exposed schemas ($1: plain names): an aggregate over a row type (or anyelement)
-- answers for that relation, a function that returns the domain answers for itself.
WITH
media_types AS (
  SELECT
    t.oid,
    n.nspname AS type_schema,
    lower(t.typname) AS media_type,
    CASE t.typname WHEN '*/*' THEN 'application/octet-stream' ELSE t.typname::text END AS resolved
  FROM pg_type t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype = 'd'
    AND (t.typname ~* '^[A-Za-z0-9.-]+/[A-Za-z0-9.\+-]+$' OR t.typname = '*/*')
),
-- One pass over the functions: their number is large, and that of the media types is always underestimated.
handlers AS MATERIALIZED (
  SELECT pn.nspname AS handler_schema, p.proname AS handler_name, p.prokind, p.pronargs, p.proargtypes, p.proretset,
    p.prorettype
  FROM pg_proc p
  JOIN pg_namespace pn ON pn.oid = p.pronamespace
  WHERE pn.nspname = ANY ($1)
    AND p.prorettype = ANY (ARRAY(SELECT oid FROM media_types))
)
SELECT
  h.handler_schema,
  h.handler_name::text,
  an.nspname AS target_schema,
  arg.typname AS target_name,
  media.media_type,
  media.resolved
FROM handlers h
JOIN media_types media ON media.oid = h.prorettype
JOIN pg_type arg ON arg.oid = h.proargtypes[0]
JOIN pg_namespace an ON an.oid = arg.typnamespace
WHERE h.prokind = 'a'
  AND h.pronargs = 1
  AND (
    arg.oid = 'anyelement'::regtype
    OR EXISTS (SELECT FROM pg_class c WHERE c.oid = arg.typrelid AND c.relkind IN ('r', 'v', 'm', 'f', 'p'))
  )
UNION
SELECT
  media.type_schema,
  media.media_type,
  h.handler_schema,
  h.handler_name,
  media.media_type,
  media.resolved
FROM handlers h
JOIN media_types media ON media.oid = h.prorettype
WHERE h.prokind = 'f'
  AND NOT h.proretset
ORDER BY 1, 2, 3, 4, 5
