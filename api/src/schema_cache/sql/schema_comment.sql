-- Comment of one schema ($1: plain name).
SELECT pg_catalog.obj_description(quote_ident($1)::regnamespace, 'pg_namespace')
