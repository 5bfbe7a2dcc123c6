insert into public.todos (col1, col2)
select 'cat', 'dog' where not exists (select from public.todos);
