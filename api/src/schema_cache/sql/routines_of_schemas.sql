    -- In these schemas ($1: plain names).
    AND pn.nspname = ANY ($1)
  ORDER BY proc_schema, p.proname, p.oid
) AS routine
