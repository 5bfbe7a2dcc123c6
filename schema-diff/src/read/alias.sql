-- Parts of objects that the catalog keeps as rows of their own: (class, oid) and what it is a part of (class, oid, column).
select 'pg_class'::regclass::oid, c.oid, 'pg_type'::regclass::oid, c.reltype, 0 from pg_class c where c.relkind = 'c' and c.oid >= 16384
union all
select 'pg_type'::regclass::oid, t.oid,
    case when t.typrelid <> 0 then 'pg_class'::regclass::oid else 'pg_type'::regclass::oid end,
    case when t.typrelid <> 0 then t.typrelid when t.typtype = 'm' then (select r.rngtypid from pg_range r where r.rngmultitypid = t.oid) else t.typelem end, 0
from pg_type t left join pg_class c on c.oid = t.typrelid
where t.oid >= 16384 and ((t.typrelid <> 0 and c.relkind <> 'c') or t.typtype = 'm' or (t.typelem <> 0 and t.typcategory = 'A'))
union all
select 'pg_rewrite'::regclass::oid, r.oid, 'pg_class'::regclass::oid, r.ev_class, 0 from pg_rewrite r where r.rulename = '_RETURN' and r.oid >= 16384
union all
select 'pg_attrdef'::regclass::oid, d.oid, 'pg_class'::regclass::oid, d.adrelid, d.adnum::int
from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum where a.attgenerated <> ''
union all
select 'pg_constraint'::regclass::oid, k.oid, case when k.contype = 'f' then 'pg_constraint'::regclass::oid else 'pg_class'::regclass::oid end,
    case when k.contype = 'f' then k.conparentid else k.conrelid end, case when k.contype = 'f' then 0 else k.conkey[1]::int end
from pg_constraint k where k.contype = 'n' and k.conrelid <> 0 or k.contype = 'f' and k.conparentid <> 0
union all
select 'pg_class'::regclass::oid, k.conindid, 'pg_constraint'::regclass::oid, k.oid, 0
from pg_constraint k where k.conindid <> 0 and k.contype in ('p', 'u', 'x')
union all
select 'pg_trigger'::regclass::oid, t.oid,
    case when t.tgparentid <> 0 then 'pg_trigger'::regclass::oid else 'pg_constraint'::regclass::oid end,
    case when t.tgparentid <> 0 then t.tgparentid else t.tgconstraint end, 0
from pg_trigger t where t.tgparentid <> 0 or t.tgisinternal
union all
select d.classid, d.objid, 'pg_extension'::regclass::oid, d.refobjid, 0 from pg_depend d where d.deptype = 'e'
union all
select 'pg_proc'::regclass::oid, d.objid, 'pg_type'::regclass::oid, d.refobjid, 0
from pg_depend d where d.classid = 'pg_proc'::regclass and d.deptype = 'i' and d.refclassid = 'pg_type'::regclass
