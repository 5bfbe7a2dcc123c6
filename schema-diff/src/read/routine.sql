select 'pg_proc'::regclass::oid, p.oid, 0, n.nspname::text, p.proname::text,
    coalesce((select string_agg(format_type(x.t, null), ', ' order by x.n) from unnest(p.proargtypes) with ordinality x(t, n)), ''),
    pg_get_userbyid(p.proowner)::text, {acl p.proacl}, obj_description(p.oid, 'pg_proc'),
    json_build_object('kind', p.prokind,
        'definition', case when p.prokind <> 'a' then pg_get_functiondef(p.oid) end,
        'arguments', pg_get_function_arguments(p.oid), 'identity_arguments', pg_get_function_identity_arguments(p.oid),
        'n_defaults', p.pronargdefaults, 'result', coalesce(pg_get_function_result(p.oid), ''),
        'aggregate', case when p.prokind = 'a' then (select json_build_object(
            'kind', g.aggkind, 'sfunc', nullif(g.aggtransfn::oid, 0)::regproc::text, 'stype', format_type(g.aggtranstype, null),
            'sspace', g.aggtransspace, 'finalfunc', nullif(g.aggfinalfn::oid, 0)::regproc::text,
            'finalfunc_extra', g.aggfinalextra, 'finalfunc_modify', g.aggfinalmodify,
            'combinefunc', nullif(g.aggcombinefn::oid, 0)::regproc::text, 'serialfunc', nullif(g.aggserialfn::oid, 0)::regproc::text,
            'deserialfunc', nullif(g.aggdeserialfn::oid, 0)::regproc::text, 'initcond', g.agginitval,
            'msfunc', nullif(g.aggmtransfn::oid, 0)::regproc::text, 'minvfunc', nullif(g.aggminvtransfn::oid, 0)::regproc::text,
            'mstype', case when g.aggmtranstype <> 0 then format_type(g.aggmtranstype, null) end, 'msspace', g.aggmtransspace,
            'mfinalfunc', nullif(g.aggmfinalfn::oid, 0)::regproc::text, 'mfinalfunc_extra', g.aggmfinalextra,
            'mfinalfunc_modify', g.aggmfinalmodify, 'minitcond', g.aggminitval,
            'sortop', (select format('operator(%I.%s)', sn.nspname, o.oprname) from pg_operator o
                join pg_namespace sn on sn.oid = o.oprnamespace where o.oid = g.aggsortop),
            'parallel', p.proparallel) from pg_aggregate g where g.aggfnoid = p.oid) end)::text
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
where {user n}
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('e', 'i'))
