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
)
SELECT
  pn.nspname AS handler_schema,
  p.proname::text AS handler_name,
  an.nspname AS target_schema,
  arg.typname AS target_name,
  media.media_type,
  media.resolved
FROM media_types media
JOIN pg_proc p ON p.prorettype = media.oid
JOIN pg_namespace pn ON pn.oid = p.pronamespace
JOIN pg_type arg ON arg.oid = p.proargtypes[0]
JOIN pg_namespace an ON an.oid = arg.typnamespace
WHERE p.prokind = 'a'
  AND p.pronargs = 1
  AND pn.nspname = ANY ($1)
  AND (
    arg.oid = 'anyelement'::regtype
    OR EXISTS (SELECT FROM pg_class c WHERE c.oid = arg.typrelid AND c.relkind IN ('r', 'v', 'm', 'f', 'p'))
  )
UNION
SELECT
  media.type_schema,
  media.media_type,
  pn.nspname,
  p.proname,
  media.media_type,
  media.resolved
FROM media_types media
JOIN pg_proc p ON p.prorettype = media.oid
JOIN pg_namespace pn ON pn.oid = p.pronamespace
WHERE p.prokind = 'f'
  AND NOT p.proretset
  AND pn.nspname = ANY ($1)
ORDER BY 1, 2, 3, 4, 5
