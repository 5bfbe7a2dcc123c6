-- Relations of the exposed schemas ($1: quoted schema names; one that does not exist is an error).
--
-- `events` is the bit mask of pg_relation_is_updatable: 4 update, 8 insert, 16 delete, INSTEAD OF
-- triggers counted. It is costly (it rewrites views), so it is asked once and only where the answer is open;
-- of a foreign data wrapper without a handler it must not be asked.
SELECT
  c.oid,
  n.nspname AS table_schema,
  c.relname AS table_name,
  d.description,
  c.relkind IN ('v', 'm') AS is_view,
  CASE
    WHEN c.relkind IN ('r', 'p') THEN 28
    WHEN c.relkind = 'v' OR wrapper.fdwhandler <> 0 THEN pg_relation_is_updatable(c.oid, TRUE)
    ELSE 0
  END AS events,
  c.relkind = 'f' AS is_foreign
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_description d
  ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = 0
LEFT JOIN pg_foreign_table foreign_table ON foreign_table.ftrelid = c.oid
LEFT JOIN pg_foreign_server server ON server.oid = foreign_table.ftserver
LEFT JOIN pg_foreign_data_wrapper wrapper ON wrapper.oid = server.srvfdw
WHERE c.relnamespace = ANY ($1::regnamespace[])
  AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
  AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
  AND NOT c.relispartition
ORDER BY n.nspname, c.relname
