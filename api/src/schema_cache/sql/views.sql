-- Definitions of the views in the exposed schemas ($1: plain names) and in the extra search path ($2:
-- quoted names). A schema of the path that does not exist is an error: nothing would be found in it.
-- Only exposed views get relationships; the others are links in a chain of views.
SELECT
  c.oid,
  n.nspname = ANY ($1) AS exposed,
  r.ev_action::text AS definition
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_rewrite r ON r.ev_class = c.oid AND r.ev_type = '1'
WHERE c.relkind IN ('v', 'm')
  AND (n.nspname = ANY ($1) OR n.oid = ANY ($2::text[]::regnamespace[]))
ORDER BY n.nspname, c.relname
