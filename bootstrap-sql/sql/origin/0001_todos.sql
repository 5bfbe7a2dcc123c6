-- The table that the tutorial serves through the foreign data wrapper, with its one row.
-- The row goes in together with the table and never again: whoever deletes it does not get it back.
SELECT set_config('pgapp.sample_table', :'sample_table', true);

DO $$
BEGIN
    IF current_setting('pgapp.sample_table')::boolean AND to_regclass('public.todos') IS NULL THEN
        CREATE TABLE public.todos (col1 text, col2 text);
        INSERT INTO public.todos (col1, col2) VALUES ('cat', 'dog');
    END IF;
END
$$;
