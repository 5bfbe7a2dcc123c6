-- A foreign table cannot carry a primary key or a foreign key, and the REST server embeds and upserts by keys.
-- So the keys of the imported tables are written down here, by the local names of tables and columns, each import
-- replacing what the former one wrote. Everybody may read it: it says nothing that the catalog would hide.
CREATE TABLE IF NOT EXISTS pgapp.origin_key (
    table_schema text NOT NULL,
    table_name text NOT NULL,
    constraint_name text NOT NULL,
    kind "char" NOT NULL CHECK (kind IN ('p', 'u', 'f')),
    columns text[] NOT NULL,
    ref_schema text,
    ref_table text,
    ref_columns text[],
    server text NOT NULL,
    PRIMARY KEY (table_schema, table_name, constraint_name),
    CHECK ((kind = 'f') = (ref_schema IS NOT NULL AND ref_table IS NOT NULL AND ref_columns IS NOT NULL)),
    CHECK (ref_columns IS NULL OR cardinality(ref_columns) = cardinality(columns))
);

COMMENT ON TABLE pgapp.origin_key IS 'Primary, unique and foreign keys that imported foreign tables have at the origin';

GRANT USAGE ON SCHEMA pgapp TO PUBLIC;
GRANT SELECT ON pgapp.origin_key TO PUBLIC;
