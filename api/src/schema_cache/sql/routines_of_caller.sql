    -- In one schema ($1: plain name), as far as the current role may execute them.
    AND pg_catalog.has_function_privilege(p.oid, 'execute')
    AND p.pronamespace OPERATOR(pg_catalog.=) pg_catalog.quote_ident($1)::pg_catalog.regnamespace
  ORDER BY proc_schema, p.proname, p.oid
) AS routine
