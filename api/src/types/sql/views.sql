-- Views and materialized views as they were parsed.
SELECT c.oid, c.relkind = 'm' AS materialized, r.ev_action::text
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class
WHERE r.ev_type = '1' AND c.relkind IN ('v', 'm')
