-- The table that the tour serves through the foreign data wrapper. A stack of an earlier version has it already.
create table if not exists public.todos (col1 text, col2 text);
