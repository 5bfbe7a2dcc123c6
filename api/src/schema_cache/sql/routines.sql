-- Functions that can be called, aggregates, procedures and triggers left out. Which schemas they are
-- looked for in is said by what follows this text.
--
-- A row is one JSON text, so that it reads the same whether it came in text or in binary format.
-- Also run under a request's search path, so nothing is left to it.
WITH RECURSIVE
domain_chain AS (
  SELECT oid AS domain, typbasetype AS base
  FROM pg_catalog.pg_type
  WHERE typtype OPERATOR(pg_catalog.=) 'd'::pg_catalog."char"
  UNION ALL
  SELECT chain.domain, t.typbasetype
  FROM domain_chain chain
  JOIN pg_catalog.pg_type t
    ON t.oid OPERATOR(pg_catalog.=) chain.base AND t.typtype OPERATOR(pg_catalog.=) 'd'::pg_catalog."char"
),
base_types AS (
  SELECT chain.domain, base.oid AS base
  FROM domain_chain chain
  JOIN pg_catalog.pg_type base
    ON base.oid OPERATOR(pg_catalog.=) chain.base
    AND base.typtype OPERATOR(pg_catalog.<>) 'd'::pg_catalog."char"
)
SELECT pg_catalog.row_to_json(routine)::pg_catalog.text
FROM (
  SELECT
    pn.nspname AS proc_schema,
    p.proname AS name,
    d.description,
    coalesce(p.proargnames, '{}') AS arg_names,
    -- All arguments when some are results, the inputs alone otherwise.
    ARRAY(
      SELECT pg_catalog.format_type(arg.type, NULL)
      FROM pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::pg_catalog.oid[]))
        WITH ORDINALITY AS arg (type, ord)
      ORDER BY arg.ord
    ) AS arg_types,
    coalesce(p.proargmodes::pg_catalog.text[], '{}') AS arg_modes,
    p.pronargs OPERATOR(pg_catalog.-) p.pronargdefaults AS required_args,
    tn.nspname AS return_schema,
    coalesce(row_of.relname, t.typname) AS return_name,
    p.proretset AS returns_set,
    t.typtype OPERATOR(pg_catalog.=) 'c'::pg_catalog."char" AS returns_row_type,
    dom.base IS NOT NULL AS returns_domain,
    p.provolatile AS volatility,
    p.provariadic OPERATOR(pg_catalog.<>) 0::pg_catalog.oid AS variadic,
    coalesce(p.proconfig, '{}') AS settings
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace pn ON pn.oid OPERATOR(pg_catalog.=) p.pronamespace
  LEFT JOIN base_types dom ON dom.domain OPERATOR(pg_catalog.=) p.prorettype
  JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) coalesce(dom.base, p.prorettype)
  JOIN pg_catalog.pg_namespace tn ON tn.oid OPERATOR(pg_catalog.=) t.typnamespace
  LEFT JOIN pg_catalog.pg_class row_of ON row_of.oid OPERATOR(pg_catalog.=) t.typrelid
  LEFT JOIN pg_catalog.pg_description d
    ON d.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
    AND d.objoid OPERATOR(pg_catalog.=) p.oid
  WHERE p.prokind OPERATOR(pg_catalog.=) 'f'::pg_catalog."char"
    AND t.oid OPERATOR(pg_catalog.<>) 'pg_catalog.trigger'::pg_catalog.regtype
