//! A running database → [`Catalog`]. Reads only; names are qualified, since a migration may have set `search_path`.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use crate::catalog::{
    Catalog, Condition, ForeignKey, Index, Name, Policy, PublicGrant, Routine, Table, View,
};

/// Schemas that are the application's, as a condition on `n`, with objects of extensions left out by `classid` and
/// `oid`. `pgapp` belongs to the project.
const OWN: &str = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgapp')";

/// Reads the schema again and again.
pub(crate) struct Reader {
    exposed: Vec<String>,
    /// Default privileges that were there at first: what they give to roles on new tables is no grant of the
    /// application, and holds in a local stack only.
    defaults: Vec<u32>,
    /// What the planner leaves of conditions, by table and text: asked once each.
    conditions: HashMap<(u32, String), Option<String>>,
}

impl Reader {
    /// For a database in which no migration ran yet.
    pub(crate) async fn new(client: &Client, exposed: &[String]) -> Read<Self> {
        let rows = client.query("SELECT d.oid FROM pg_catalog.pg_default_acl d", &[]).await?;
        let defaults = rows.iter().map(|it| it.try_get(0)).collect::<Read<_>>()?;
        Ok(Self { exposed: exposed.to_vec(), defaults, conditions: HashMap::new() })
    }

    /// Reads the schema. A transaction has to be open.
    pub(crate) async fn read(&mut self, client: &Client) -> Read<Catalog> {
        let texts = [TABLES, VIEWS, ROUTINES, POLICIES, FOREIGN_KEYS, INDEXES, PUBLIC_GRANTS];
        let sql: Vec<String> =
            texts.iter().map(|it| it.replace("$OWN", OWN).replace("$IS_GRANTED", IS_GRANTED)).collect();
        let parameters: [&(dyn ToSql + Sync); 1] = [&self.defaults];
        // Sent at once: one round trip for all of them.
        let rows = try_join_all(sql.iter().map(|it| {
            let takes_defaults = it.contains("$1");
            client.query(it.as_str(), if takes_defaults { &parameters } else { &[] })
        }))
        .await?;
        let [tables, views, routines, policies, foreign_keys, indexes, public_grants] = &rows[..] else {
            unreachable!("one answer for each query")
        };
        let tables: Vec<Table> = all(tables, table)?;
        let mut read_policies = Vec::with_capacity(policies.len());
        for row in policies {
            read_policies.push(self.policy(client, row, &tables).await?);
        }
        Ok(Catalog {
            exposed: self.exposed.clone(),
            views: all(views, view)?,
            routines: all(routines, routine)?,
            policies: read_policies,
            foreign_keys: all(foreign_keys, foreign_key)?,
            indexes: all(indexes, index)?,
            public_grants: all(public_grants, public_grant)?,
            tables,
        })
    }

    async fn policy(&mut self, client: &Client, row: &Row, tables: &[Table]) -> Read<Policy> {
        let oid: u32 = row.try_get("polrelid")?;
        let mut read =
            Policy { oid: row.try_get("oid")?, name: row.try_get("name")?, table: oid, ..Policy::default() };
        for (column, part) in [("using_text", &mut read.using), ("check_text", &mut read.check)] {
            let Some(text) = row.try_get::<_, Option<String>>(column)? else { continue };
            let Some(table) = tables.iter().find(|it| it.oid == oid) else { continue };
            let key = (oid, text);
            if !self.conditions.contains_key(&key) {
                let left = simplified(client, &table.name, &key.1).await?;
                self.conditions.insert(key.clone(), left);
            }
            *part = Some(Condition { left: self.conditions.get(&key).cloned().flatten(), text: key.1 });
        }
        Ok(read)
    }
}

/// Whether a role other than the owner holds a privilege on the relation `c`, or on a column of it.
const IS_GRANTED: &str = "EXISTS (
             SELECT FROM pg_catalog.aclexplode(c.relacl) a
             WHERE a.grantee <> c.relowner AND NOT EXISTS (
               SELECT FROM pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) x
               WHERE d.oid = ANY ($1::pg_catalog.oid[]) AND d.defaclnamespace = c.relnamespace AND d.defaclobjtype = 'r'
                 AND x.grantee = a.grantee AND x.privilege_type = a.privilege_type)
             UNION ALL
             SELECT FROM pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) a
             WHERE t.attrelid = c.oid AND a.grantee <> c.relowner)";

type Read<T> = Result<T, tokio_postgres::Error>;

fn all<T>(rows: &[Row], of: impl Fn(&Row) -> Read<T>) -> Read<Vec<T>> {
    rows.iter().map(of).collect()
}

fn name(row: &Row, at: &str) -> Read<Name> {
    let schema = format!("{at}_schema");
    Ok(Name { schema: row.try_get(schema.as_str())?, name: row.try_get(at)? })
}

const TABLES: &str = "
    SELECT c.oid, n.nspname AS name_schema, c.relname AS name, c.relrowsecurity, c.relispartition,
           EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) AS has_policies,
           $IS_GRANTED AS is_granted,
           ARRAY(SELECT t.attname::text FROM pg_catalog.pg_attribute t
                 WHERE t.attrelid = c.oid AND t.attnum > 0 AND t.attnotnull AND NOT t.attisdropped) AS not_null
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND $OWN
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                        AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 2, 3";

fn table(row: &Row) -> Read<Table> {
    Ok(Table {
        oid: row.try_get("oid")?,
        name: name(row, "name")?,
        has_rls: row.try_get("relrowsecurity")?,
        has_policies: row.try_get("has_policies")?,
        is_partition: row.try_get("relispartition")?,
        is_granted: row.try_get("is_granted")?,
        not_null: row.try_get("not_null")?,
    })
}

const VIEWS: &str = "
    SELECT c.oid, n.nspname AS name_schema, c.relname AS name, c.relkind = 'm' AS is_materialized,
           EXISTS (SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) o
                   WHERE o.option_name = 'security_invoker' AND o.option_value::bool) AS is_invoker,
           $IS_GRANTED AS is_granted,
           ARRAY(SELECT DISTINCT d.refobjid FROM pg_catalog.pg_rewrite r
                 JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
                   AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                 WHERE r.ev_class = c.oid AND r.rulename = '_RETURN' AND d.refobjid <> c.oid) AS reads
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND $OWN
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                        AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 2, 3";

fn view(row: &Row) -> Read<View> {
    Ok(View {
        oid: row.try_get("oid")?,
        name: name(row, "name")?,
        is_materialized: row.try_get("is_materialized")?,
        is_invoker: row.try_get("is_invoker")?,
        is_granted: row.try_get("is_granted")?,
        reads: row.try_get("reads")?,
    })
}

const ROUTINES: &str = "
    SELECT p.oid, n.nspname AS name_schema, p.proname AS name, p.prosecdef,
           pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments,
           EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) s WHERE s LIKE 'search_path=%') AS has_search_path,
           EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
                   WHERE a.grantee = 0) AS is_public
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE $OWN
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                        AND d.objid = p.oid AND d.deptype = 'e')
    ORDER BY 2, 3, 5";

fn routine(row: &Row) -> Read<Routine> {
    Ok(Routine {
        oid: row.try_get("oid")?,
        name: name(row, "name")?,
        arguments: row.try_get("arguments")?,
        is_definer: row.try_get("prosecdef")?,
        has_search_path: row.try_get("has_search_path")?,
        is_public: row.try_get("is_public")?,
    })
}

const POLICIES: &str = "
    SELECT p.oid, p.polname AS name, p.polrelid,
           pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using_text,
           pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS check_text
    FROM pg_catalog.pg_policy p
    JOIN pg_catalog.pg_class c ON c.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE $OWN ORDER BY n.nspname, c.relname, p.polname";

/// What the planner leaves of a condition. It folds constants, calls of immutable functions and tautologies; what it
/// cannot plan stays as it is.
async fn simplified(client: &Client, table: &Name, text: &str) -> Read<Option<String>> {
    client.batch_execute("SAVEPOINT pgapp_lint").await?;
    let explain = format!("EXPLAIN (COSTS OFF) SELECT FROM {table} WHERE {text}");
    let planned = client.query(explain.as_str(), &[]).await;
    client.batch_execute("ROLLBACK TO SAVEPOINT pgapp_lint; RELEASE SAVEPOINT pgapp_lint").await?;
    let Ok(rows) = planned else { return Ok(Some(text.to_owned())) };
    let lines: Vec<String> = rows.iter().map(|it| it.try_get(0)).collect::<Read<_>>()?;
    let is_scan = |line: &String| {
        let line = line.trim().trim_start_matches("->").trim();
        line.starts_with("Seq Scan on ") || line == "Append"
    };
    if lines.iter().all(is_scan) {
        return Ok(None);
    }
    let filter = match &lines[..] {
        [scan, filter] if is_scan(scan) => filter.trim().strip_prefix("Filter: "),
        _ => None,
    };
    Ok(Some(filter.unwrap_or(text).to_owned()))
}

const FOREIGN_KEYS: &str = "
    SELECT k.oid, k.conname AS name, k.conrelid, n.nspname AS table_schema, c.relname AS table,
           rn.nspname AS references_schema, r.relname AS references, k.conkey,
           ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u (num, ord)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.ord) AS columns
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class r ON r.oid = k.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
    WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relpersistence <> 't' AND $OWN
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                        AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 4, 5, 2";

fn foreign_key(row: &Row) -> Read<ForeignKey> {
    Ok(ForeignKey {
        oid: row.try_get("oid")?,
        name: row.try_get("name")?,
        table: row.try_get("conrelid")?,
        table_name: name(row, "table")?,
        columns: row.try_get("conkey")?,
        column_names: row.try_get("columns")?,
        references: name(row, "references")?,
    })
}

const INDEXES: &str = "
    SELECT i.indrelid, i.indisunique, m.amname AS method,
           (i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1] AS columns,
           pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_am m ON m.oid = c.relam
    WHERE i.indisvalid AND $OWN";

fn index(row: &Row) -> Read<Index> {
    Ok(Index {
        table: row.try_get("indrelid")?,
        columns: row.try_get("columns")?,
        is_unique: row.try_get("indisunique")?,
        method: row.try_get("method")?,
        predicate: row.try_get("predicate")?,
    })
}

/// Functions, types and languages are left out: PUBLIC may use them unless it is taken away, and a grant changes
/// nothing that could be seen. Grants on them are read from the files.
const PUBLIC_GRANTS: &str = "
    WITH default_grant AS (
        SELECT d.oid, d.defaclnamespace, d.defaclobjtype, a.privilege_type
        FROM pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) a WHERE a.grantee = 0
    ), held AS (
        SELECT c.oid, 0::int2 AS num, CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, n.nspname AS schema,
               pg_catalog.format('%I.%I', n.nspname, c.relname) AS object, a.privilege_type
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
             pg_catalog.aclexplode(c.relacl) a
        WHERE a.grantee = 0 AND c.relpersistence <> 't' AND $OWN
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND d.objid = c.oid
                            AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
          AND NOT EXISTS (SELECT FROM default_grant d WHERE d.privilege_type = a.privilege_type
                            AND d.defaclnamespace IN (0, c.relnamespace)
                            AND d.defaclobjtype = CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END)
        UNION ALL
        SELECT c.oid, t.attnum, 'column', n.nspname, pg_catalog.format('%I.%I.%I', n.nspname, c.relname, t.attname),
               a.privilege_type
        FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c ON c.oid = t.attrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, pg_catalog.aclexplode(t.attacl) a
        WHERE a.grantee = 0 AND c.relpersistence <> 't' AND $OWN
        UNION ALL
        SELECT n.oid, 0, 'schema', n.nspname, pg_catalog.quote_ident(n.nspname), a.privilege_type
        FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
        WHERE a.grantee = 0 AND $OWN
          AND NOT EXISTS (SELECT FROM default_grant d WHERE d.privilege_type = a.privilege_type AND d.defaclobjtype = 'n')
        UNION ALL
        SELECT d.oid, 0, 'default privileges of ' || CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'
                 WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'objects' END,
               coalesce(n.nspname, ''), coalesce(pg_catalog.quote_ident(n.nspname), 'all schemas'), d.privilege_type
        FROM default_grant d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
        WHERE (d.defaclnamespace <> 0 OR d.defaclobjtype NOT IN ('f', 'T')) AND (n.oid IS NULL OR $OWN)
        UNION ALL
        SELECT s.oid, 0, 'foreign server', '', pg_catalog.quote_ident(s.srvname), a.privilege_type
        FROM pg_catalog.pg_foreign_server s, pg_catalog.aclexplode(s.srvacl) a WHERE a.grantee = 0
    )
    SELECT oid, num::pg_catalog.int2 AS num, kind, schema, object, pg_catalog.array_agg(DISTINCT privilege_type) AS privileges
    FROM held GROUP BY 1, 2, 3, 4, 5 ORDER BY 5, 3";

fn public_grant(row: &Row) -> Read<PublicGrant> {
    Ok(PublicGrant {
        oid: row.try_get("oid")?,
        column: row.try_get("num")?,
        kind: row.try_get("kind")?,
        schema: row.try_get("schema")?,
        object: row.try_get("object")?,
        privileges: row.try_get("privileges")?,
    })
}
