-- Functions of the exposed schemas ($1: plain names) that can be called, with the types of their arguments and of what
-- they give. Those that take or give what has no JSON (internal, cstring, trigger, …) cannot be.
SELECT
  n.nspname,
  p.proname,
  obj_description(p.oid, 'pg_proc') AS description,
  coalesce(p.proargnames, '{}') AS names,
  coalesce(p.proallargtypes, p.proargtypes::oid[]) AS types,
  coalesce(p.proargmodes::text[], '{}') AS modes,
  (p.pronargs - p.pronargdefaults)::integer AS required,
  p.prorettype,
  p.proretset,
  p.provolatile,
  p.prorows = 1 AS one_row
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind = 'f'
  AND n.nspname = ANY ($1)
  AND NOT EXISTS (
    SELECT
    FROM unnest(p.proargtypes::oid[] || p.prorettype) AS used (type)
    JOIN pg_type t ON t.oid = used.type
    WHERE t.typtype = 'p'
      AND t.typname NOT IN ('void', 'record', 'json', 'jsonb')
      AND t.typname !~ '^any'
  )
ORDER BY n.nspname, p.proname, p.pronargs, p.proargtypes::text
