    -- In one schema ($1: plain name), as far as the current role may execute them.
    AND has_function_privilege(p.oid, 'execute')
    AND p.pronamespace = quote_ident($1)::regnamespace
  ORDER BY proc_schema, p.proname, p.oid
) AS routine
