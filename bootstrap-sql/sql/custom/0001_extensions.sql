-- Extensions of the custom database: postgres_fdw to reach the origin, pg_cron where the server has it preloaded.
-- postgres_fdw goes into the schema pgapp: in public its functions would be served as procedures of the API.
-- A server without pg_cron is a fine server, so its absence is a note and the step tries again at the next run.
SELECT set_config('pgapp.postgres_fdw', :'postgres_fdw', true);

DO $$
BEGIN
    IF current_setting('pgapp.postgres_fdw')::boolean
       AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'postgres_fdw') THEN
        CREATE EXTENSION postgres_fdw WITH SCHEMA pgapp;
    END IF;

    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_cron') THEN
            BEGIN
                CREATE EXTENSION pg_cron;
            EXCEPTION WHEN OTHERS THEN
                PERFORM set_config('pgapp.notes', 'pg_cron is left out: ' || SQLERRM, true);
            END;
        ELSE
            PERFORM set_config('pgapp.notes', 'pg_cron is left out: the server does not have it', true);
        END IF;
    END IF;
END
$$;
