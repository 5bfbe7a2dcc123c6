SELECT 'both event triggers are enabled and call the function, or a note says why not',
       (SELECT count(*) = 2 FROM pg_event_trigger
        WHERE evtname IN ('pgapp_reload_on_ddl', 'pgapp_reload_on_drop')
          AND evtfoid = 'pgapp.notify_reload'::regproc
          AND evtenabled <> 'D')
       OR EXISTS (SELECT FROM pgapp.schema_step
                  WHERE target = 'custom' AND name = '0005_reload_on_ddl' AND notes <> '{}')
UNION ALL
SELECT 'the function notifies the channel of the REST server',
       (SELECT prosrc LIKE '%pg_notify(' || quote_literal(:'reload_channel') || ',%'
        FROM pg_proc WHERE oid = 'pgapp.notify_reload'::regproc);
