-- A change of the schema is to be served at once: after any DDL the REST server is told to reload its schema cache.
-- The function resolves names in pg_catalog only, since it runs with the rights of whoever issues the DDL, and lets no
-- failure of its own stop that DDL. Commands that touch only temporary objects, or no definition, are passed over.
-- Where event triggers are reserved (some managed services) this is a note: reload by NOTIFY or restart instead.
SELECT set_config('pgapp.reload_channel', :'reload_channel', true);

DO $$
BEGIN
    EXECUTE format($create$
        CREATE OR REPLACE FUNCTION pgapp.notify_reload() RETURNS event_trigger
        LANGUAGE plpgsql
        SET search_path = pg_catalog, pg_temp
        AS $function$
        DECLARE
            relevant boolean := true;
        BEGIN
            BEGIN
                IF tg_event = 'sql_drop' THEN
                    relevant := EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS it
                                        WHERE it.original AND NOT it.is_temporary);
                ELSE
                    relevant := tg_tag <> 'REFRESH MATERIALIZED VIEW'
                                AND EXISTS (SELECT FROM pg_event_trigger_ddl_commands() AS it
                                            WHERE it.schema_name IS DISTINCT FROM 'pg_temp');
                END IF;
            EXCEPTION WHEN OTHERS THEN
                NULL; -- What was done is not known, so the reload is due.
            END;
            IF relevant THEN
                PERFORM pg_notify(%L, 'reload schema');
            END IF;
        END
        $function$
    $create$, current_setting('pgapp.reload_channel'));

    BEGIN
        IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'pgapp_reload_on_ddl') THEN
            CREATE EVENT TRIGGER pgapp_reload_on_ddl ON ddl_command_end EXECUTE FUNCTION pgapp.notify_reload();
        END IF;
        IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'pgapp_reload_on_drop') THEN
            CREATE EVENT TRIGGER pgapp_reload_on_drop ON sql_drop EXECUTE FUNCTION pgapp.notify_reload();
        END IF;
    EXCEPTION WHEN insufficient_privilege OR feature_not_supported THEN
        PERFORM set_config('pgapp.notes', format(
            'a schema change does not reload the REST server by itself: %s; after a change run NOTIFY %I',
            SQLERRM, current_setting('pgapp.reload_channel')), true);
    END;
END
$$;

COMMENT ON FUNCTION pgapp.notify_reload() IS 'Tells the REST server that the schema has changed';
