-- The table of the animals app. The app checks its input before it gets here; the constraints are the last word.
-- It comes before the user and the grants: privileges on a table that does not exist yet cannot be granted.
CREATE TABLE IF NOT EXISTS public.animals (
    name text PRIMARY KEY,
    weight numeric(6, 2) NOT NULL CHECK (weight > 0),
    height numeric(6, 2) NOT NULL CHECK (height > 0)
);
