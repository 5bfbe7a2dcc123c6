-- Implicit casts by function between a domain and json or text, which the current role may use.
SELECT
  c.castsource::regtype::text AS source_type,
  c.casttarget::regtype::text AS target_type,
  c.castfunc::regproc::text AS function
FROM pg_cast c
JOIN pg_type source ON source.oid = c.castsource
JOIN pg_type target ON target.oid = c.casttarget
WHERE c.castcontext = 'i'
  AND c.castmethod = 'f'
  AND (
    source.typtype = 'd' AND c.casttarget IN ('json'::regtype, 'text'::regtype)
    OR target.typtype = 'd' AND c.castsource IN ('json'::regtype, 'text'::regtype)
  )
  AND has_function_privilege(c.castfunc, 'execute')
