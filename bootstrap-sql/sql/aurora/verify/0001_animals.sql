SELECT 'public.animals has the columns name, weight and height of the right types',
       (SELECT array_agg(format('%s %s %s', attname, format_type(atttypid, atttypmod), attnotnull) ORDER BY attnum)
        FROM pg_attribute
        WHERE attrelid = 'public.animals'::regclass AND attnum > 0 AND NOT attisdropped)
       = ARRAY['name text t', 'weight numeric(6,2) t', 'height numeric(6,2) t']
UNION ALL
SELECT 'public.animals has its primary key and both checks',
       (SELECT count(*) FILTER (WHERE contype = 'p') = 1 AND count(*) FILTER (WHERE contype = 'c') >= 2
        FROM pg_constraint WHERE conrelid = 'public.animals'::regclass);
