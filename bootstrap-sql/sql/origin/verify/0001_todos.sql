SELECT 'the table public.todos exists when it is wanted',
       NOT :'sample_table'::boolean OR to_regclass('public.todos') IS NOT NULL;
