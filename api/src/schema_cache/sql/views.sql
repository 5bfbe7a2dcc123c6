-- Definitions of the views in the exposed schemas ($1) and in the extra search path ($2).
-- Only exposed views get relationships; the others are links in a chain of views.
SELECT
  c.oid,
  n.nspname = ANY ($1) AS exposed,
  r.ev_action::text AS definition
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_rewrite r ON r.ev_class = c.oid AND r.ev_type = '1'
WHERE c.relkind IN ('v', 'm')
  AND n.nspname = ANY ($1 || $2)
ORDER BY n.nspname, c.relname
