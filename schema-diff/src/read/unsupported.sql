select what from (
    select 'operator ' || o.oid::regoperator::text, 'pg_operator'::regclass, o.oid from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where {user n}
    union all
    select 'operator class ' || quote_ident(n.nspname) || '.' || quote_ident(o.opcname), 'pg_opclass'::regclass, o.oid from pg_opclass o join pg_namespace n on n.oid = o.opcnamespace where {user n}
    union all
    select 'text search configuration ' || o.oid::regconfig::text, 'pg_ts_config'::regclass, o.oid from pg_ts_config o join pg_namespace n on n.oid = o.cfgnamespace where {user n}
    union all
    select 'text search dictionary ' || o.oid::regdictionary::text, 'pg_ts_dict'::regclass, o.oid from pg_ts_dict o join pg_namespace n on n.oid = o.dictnamespace where {user n}
    union all
    select 'conversion ' || quote_ident(n.nspname) || '.' || quote_ident(o.conname), 'pg_conversion'::regclass, o.oid from pg_conversion o join pg_namespace n on n.oid = o.connamespace where {user n}
    union all
    select 'cast from ' || format_type(o.castsource, null) || ' to ' || format_type(o.casttarget, null), 'pg_cast'::regclass, o.oid from pg_cast o where o.oid >= 16384
    union all
    select 'base type ' || format_type(o.oid, null), 'pg_type'::regclass, o.oid from pg_type o join pg_namespace n on n.oid = o.typnamespace
        where {user n} and o.typtype = 'b' and not (o.typcategory = 'A' and o.typelem <> 0)
    union all
    select 'language ' || quote_ident(o.lanname), 'pg_language'::regclass, o.oid from pg_language o where o.oid >= 16384
) as it(what, classid, objid)
where not exists (select from pg_depend d where d.classid = it.classid and d.objid = it.objid and d.deptype in ('e', 'i'))
order by what
