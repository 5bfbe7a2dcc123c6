-- Roles that the REST server may become, and the claims that texts in the catalog take out of the token.
SELECT ARRAY(SELECT r.rolname::text FROM pg_roles AS r
             WHERE r.rolname <> 'authenticator' AND pg_has_role('authenticator', r.oid, 'MEMBER') ORDER BY 1),
       ARRAY(SELECT DISTINCT claim[1]
             FROM (SELECT concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
                   FROM pg_policy
                   UNION ALL
                   SELECT coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)
                   FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                   WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgapp')
                   UNION ALL
                   SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
                   UNION ALL
                   SELECT definition FROM pg_views WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
                  ) AS it(text),
                  regexp_matches(it.text, $$'request\.jwt\.claims'[^;]{0,80}?->>?\s*'([^']+)'$$, 'g') AS claim
             ORDER BY 1)
