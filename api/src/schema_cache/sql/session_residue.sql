-- What functions could leave behind in a session; see `Residue`. Oids from 16384 on are not Postgres' own.
--
-- Functions in SQL and PL/pgSQL run commands that stand in their text, or text that they are given to
-- EXECUTE. (Those of the schema `pgapp` come with this project and are known.) Of other procedural languages nothing is known; functions in C are their authors' business, and
-- those of event triggers run when the schema changes.
SELECT
  EXISTS (
    SELECT
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE p.oid >= 16384
      AND n.nspname <> 'pgapp'
      AND l.lanname NOT IN ('internal', 'c')
      AND p.prorettype <> 'pg_catalog.event_trigger'::pg_catalog.regtype
      AND (
        l.lanname NOT IN ('sql', 'plpgsql')
        OR p.prosrc ~* '\m(execute|prepare|listen|hold|authorization|session_authorization)\M'
      )
  ) AS commands,
  EXISTS (
    SELECT
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE t.tgdeferrable
      AND l.lanname NOT IN ('internal', 'c')
  ) AS at_commit,
  EXISTS (SELECT FROM pg_catalog.pg_sequence WHERE seqcache > 1) AS cached_sequences
