select d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid, d.deptype::text
from pg_depend d
where d.deptype in ('n', 'a', 'i', 'P', 'S') and d.objid >= 16384 and (d.refobjid >= 16384 or d.refclassid = 'pg_namespace'::regclass or d.refclassid='pg_foreign_data_wrapper'::regclass)
