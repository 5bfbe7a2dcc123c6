SELECT 'the extension postgres_fdw is installed when it is wanted',
       NOT :'postgres_fdw'::boolean OR EXISTS (SELECT FROM pg_extension WHERE extname = 'postgres_fdw')
UNION ALL
SELECT 'the extension pg_cron is installed, or a note says why not',
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')
       OR EXISTS (SELECT FROM pgapp.schema_step
                  WHERE target = 'custom' AND name = '0001_extensions' AND notes <> '{}');
