-- Rows that a new local database begins with. No deployment gets them unless asked for by --seed.
insert into api.notes (owner, body, is_public) values
  ('ann', 'Everybody may read this', true),
  ('ann', 'Only Ann may read this', false),
  ('bob', 'Only Bob may read this', false);
