-- Functions that can be called, aggregates, procedures and triggers left out. Which schemas they are
-- looked for in is said by what follows this text.
--
-- A row is one JSON text, so that it reads the same whether it came in text or in binary format.
WITH RECURSIVE
domain_chain AS (
  SELECT oid AS domain, typbasetype AS base FROM pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT chain.domain, t.typbasetype
  FROM domain_chain chain
  JOIN pg_type t ON t.oid = chain.base AND t.typtype = 'd'
),
base_types AS (
  SELECT chain.domain, base.oid AS base
  FROM domain_chain chain
  JOIN pg_type base ON base.oid = chain.base AND base.typtype <> 'd'
)
SELECT row_to_json(routine)::text
FROM (
  SELECT
    pn.nspname AS proc_schema,
    p.proname AS name,
    d.description,
    coalesce(p.proargnames, '{}') AS arg_names,
    -- All arguments when some are results, the inputs alone otherwise.
    ARRAY(
      SELECT format_type(arg.type, NULL)
      FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS arg (type, ord)
      ORDER BY arg.ord
    ) AS arg_types,
    coalesce(p.proargmodes::text[], '{}') AS arg_modes,
    p.pronargs - p.pronargdefaults AS required_args,
    tn.nspname AS return_schema,
    coalesce(row_of.relname, t.typname) AS return_name,
    p.proretset AS returns_set,
    t.typtype = 'c' AS returns_row_type,
    dom.base IS NOT NULL AS returns_domain,
    p.provolatile AS volatility,
    p.provariadic <> 0 AS variadic,
    coalesce(p.proconfig, '{}') AS settings
  FROM pg_proc p
  JOIN pg_namespace pn ON pn.oid = p.pronamespace
  LEFT JOIN base_types dom ON dom.domain = p.prorettype
  JOIN pg_type t ON t.oid = coalesce(dom.base, p.prorettype)
  JOIN pg_namespace tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_class row_of ON row_of.oid = t.typrelid
  LEFT JOIN pg_description d ON d.classoid = 'pg_proc'::regclass AND d.objoid = p.oid
  WHERE p.prokind = 'f'
    AND t.oid <> 'trigger'::regtype
