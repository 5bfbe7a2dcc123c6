-- An insert through postgres_fdw sends every column, those left out as NULL: a serial column would be refused by the
-- origin. So each imported column has a local default again. Where the expression means the same here, the import
-- copies it; otherwise (a sequence, a function of the origin) the default calls the function below, which lets the
-- origin evaluate its own expression. Only expressions that an import has recorded can be evaluated.
CREATE TABLE IF NOT EXISTS pgapp.origin_default (
    server text NOT NULL,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    expression text NOT NULL,
    PRIMARY KEY (server, table_schema, table_name, column_name)
);

COMMENT ON TABLE pgapp.origin_default IS
    'Defaults of imported columns: local schema, then table and column by the names that they have at the origin';

-- Runs as its owner, who has the mapping and may use dblink. The connection stays open for the session, so an insert
-- costs one more round trip per row; one that has broken in the meantime is replaced once.
CREATE OR REPLACE FUNCTION pgapp.origin_default(server text, table_schema text, table_name text, column_name text)
RETURNS text
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    connection constant text := 'pgapp_default_' || server;
    remote_query text;
    dblink_schema text;
    is_open boolean;
    result text;
BEGIN
    SELECT format('SELECT (%s)::text', d.expression) INTO remote_query
    FROM pgapp.origin_default AS d
    WHERE (d.server, d.table_schema, d.table_name, d.column_name)
        = (origin_default.server, origin_default.table_schema, origin_default.table_name, origin_default.column_name);
    IF remote_query IS NULL THEN
        RAISE EXCEPTION 'no default of the origin is recorded for column "%" of table "%"', column_name, table_name
            USING HINT = 'Import the origin''s tables again.';
    END IF;
    SELECT quote_ident(n.nspname) INTO dblink_schema
    FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'dblink';
    IF dblink_schema IS NULL THEN
        RAISE EXCEPTION 'the extension "dblink" is missing, so the default of column "%" of table "%" is not known',
            column_name, table_name
            USING HINT = 'Give the column a value, or create the extension.';
    END IF;

    FOR attempt IN 1..2 LOOP
        EXECUTE format('SELECT $1 = ANY (%s.dblink_get_connections())', dblink_schema) INTO is_open USING connection;
        is_open := coalesce(is_open, false);
        BEGIN
            IF NOT is_open THEN
                EXECUTE format('SELECT %s.dblink_connect($1, $2)', dblink_schema) USING connection, server;
                EXECUTE format('SELECT %s.dblink_exec($1, $2)', dblink_schema)
                    USING connection, 'SET search_path = pg_catalog';
            END IF;
            EXECUTE format('SELECT t.value FROM %s.dblink($1, $2) AS t(value text)', dblink_schema)
                INTO result USING connection, remote_query;
            RETURN result;
        EXCEPTION
            WHEN SQLSTATE '08000' OR SQLSTATE '08003' OR SQLSTATE '08006' OR admin_shutdown OR crash_shutdown THEN
                IF NOT is_open THEN
                    RAISE;
                END IF;
                EXECUTE format('SELECT %s.dblink_disconnect($1)', dblink_schema) USING connection;
        END;
    END LOOP;
END
$function$;

COMMENT ON FUNCTION pgapp.origin_default(text, text, text, text) IS
    'The default of a column at the origin, evaluated there';
