-- Comment of one schema ($1: plain name).
SELECT pg_catalog.obj_description(pg_catalog.quote_ident($1)::pg_catalog.regnamespace, 'pg_namespace')
