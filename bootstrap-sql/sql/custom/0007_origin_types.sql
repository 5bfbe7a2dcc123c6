-- A foreign table needs the types of the origin's columns here. An import makes enums and domains that are missing,
-- and writes down which, so that later ones can follow the origin without touching a type that somebody else made.
CREATE TABLE IF NOT EXISTS pgapp.origin_type (
    server text NOT NULL,
    type_schema text NOT NULL,
    type_name text NOT NULL,
    PRIMARY KEY (type_schema, type_name)
);

COMMENT ON TABLE pgapp.origin_type IS 'Types that an import has made';
