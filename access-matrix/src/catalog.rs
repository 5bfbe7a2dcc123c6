//! What the catalog says of roles, relations and policies, read at once.

use std::collections::HashMap;

use tokio_postgres::GenericClient;

use crate::error::{During, Error};

/// A role of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) oid: u32,
    pub(crate) name: String,
    /// Superusers and roles with BYPASSRLS.
    pub(crate) is_above_policies: bool,
    /// The roles whose rights it has, itself included.
    pub(crate) has_rights_of: Vec<u32>,
}

/// A table, a view or the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) kind: char,
    pub(crate) owner: u32,
    pub(crate) has_policies_on: bool,
    pub(crate) holds_for_owner: bool,
    /// A view whose relations are used with the caller's rights.
    pub(crate) is_invoker: bool,
    /// What a view reads.
    pub(crate) reads: Vec<u32>,
    pub(crate) columns: Vec<String>,
}

impl Relation {
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) relation: u32,
    pub(crate) name: String,
    pub(crate) is_permissive: bool,
    /// `r`, `a`, `w`, `d` or `*`.
    pub(crate) verb: char,
    /// 0 is every role.
    pub(crate) roles: Vec<u32>,
    pub(crate) using: Option<String>,
    pub(crate) check: Option<String>,
}

/// Columns by verb that a role has a privilege on, and whether it may delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Privileges {
    pub(crate) select: Vec<String>,
    pub(crate) insert: Vec<String>,
    pub(crate) update: Vec<String>,
    pub(crate) delete: bool,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) roles: HashMap<u32, Role>,
    /// The roles of the matrix, by name.
    pub(crate) asked_roles: Vec<u32>,
    pub(crate) relations: HashMap<u32, Relation>,
    /// The relations of the matrix, by name.
    pub(crate) asked_relations: Vec<u32>,
    pub(crate) policies: Vec<Policy>,
    /// By role and relation of the matrix.
    pub(crate) privileges: HashMap<(u32, u32), Privileges>,
}

/// Since PostgreSQL 16 membership and the right to switch are two things.
const ROLES: &str = "
    SELECT r.oid, r.rolname::text, r.rolsuper OR r.rolbypassrls,
           ARRAY(SELECT o.oid FROM pg_roles AS o WHERE pg_has_role(r.oid, o.oid, 'USAGE')),
           r.rolname <> $1 AND EXISTS (
               SELECT FROM pg_roles AS l
               WHERE l.rolname = $1
                 AND pg_has_role(l.oid, r.oid, CASE WHEN current_setting('server_version_num')::int >= 160000
                                                    THEN 'SET' ELSE 'MEMBER' END))
    FROM pg_roles AS r ORDER BY r.rolname";

const RELATIONS: &str = "
    SELECT c.oid, n.nspname::text, c.relname::text, c.relkind, c.relowner, c.relrowsecurity, c.relforcerowsecurity,
           c.relkind = 'v' AND EXISTS (
               SELECT FROM pg_options_to_table(c.reloptions) AS o
               WHERE o.option_name = 'security_invoker' AND o.option_value::boolean),
           ARRAY(SELECT DISTINCT d.refobjid
                 FROM pg_rewrite AS w JOIN pg_depend AS d
                   ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
                 WHERE w.ev_class = c.oid AND c.relkind = 'v' AND d.refobjid <> c.oid),
           ARRAY(SELECT a.attname::text FROM pg_attribute AS a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
           n.nspname = ANY ($1)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ORDER BY n.nspname, c.relname";

const POLICIES: &str = "
    SELECT polrelid, polname::text, polpermissive, polcmd, polroles,
           pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
    FROM pg_policy ORDER BY polname";

const PRIVILEGES: &str = "
    SELECT r.oid, c.oid,
           ARRAY(SELECT attname::text FROM columns WHERE attrelid = c.oid AND has_column_privilege(r.oid, c.oid, attnum, 'SELECT')),
           ARRAY(SELECT attname::text FROM columns WHERE attrelid = c.oid AND has_column_privilege(r.oid, c.oid, attnum, 'INSERT')),
           ARRAY(SELECT attname::text FROM columns WHERE attrelid = c.oid AND has_column_privilege(r.oid, c.oid, attnum, 'UPDATE')),
           has_table_privilege(r.oid, c.oid, 'DELETE')
    FROM pg_roles AS r CROSS JOIN pg_class AS c
    WHERE r.oid = ANY ($1) AND c.oid = ANY ($2) AND has_schema_privilege(r.oid, c.relnamespace, 'USAGE')";

pub(crate) async fn read(
    client: &impl GenericClient,
    login: &str,
    schemas: &[String],
) -> Result<Catalog, Error> {
    let mut roles = HashMap::new();
    let mut asked_roles = Vec::new();
    for row in client.query(ROLES, &[&login]).await.during("read the roles")? {
        let role = Role {
            oid: row.get(0),
            name: row.get(1),
            is_above_policies: row.get(2),
            has_rights_of: row.get(3),
        };
        if row.get(4) {
            asked_roles.push(role.oid);
        }
        roles.insert(role.oid, role);
    }
    let mut relations = HashMap::new();
    let mut asked_relations = Vec::new();
    for row in client.query(RELATIONS, &[&schemas]).await.during("read the relations")? {
        let relation = Relation {
            oid: row.get(0),
            schema: row.get(1),
            name: row.get(2),
            kind: letter(row.get(3)),
            owner: row.get(4),
            has_policies_on: row.get(5),
            holds_for_owner: row.get(6),
            is_invoker: row.get(7),
            reads: row.get(8),
            columns: row.get(9),
        };
        if row.get(10) {
            asked_relations.push(relation.oid);
        }
        relations.insert(relation.oid, relation);
    }
    let policies = client.query(POLICIES, &[]).await.during("read the policies")?;
    let policies = policies.iter().map(|row| Policy {
        relation: row.get(0),
        name: row.get(1),
        is_permissive: row.get(2),
        verb: letter(row.get(3)),
        roles: row.get(4),
        using: row.get(5),
        check: row.get(6),
    });
    let policies = policies.collect();
    let columns = "WITH columns AS (SELECT attrelid, attnum, attname FROM pg_attribute
                                    WHERE attrelid = ANY ($2) AND attnum > 0 AND NOT attisdropped ORDER BY attnum)";
    let sql = format!("{columns} {PRIVILEGES}");
    let rows = client.query(&sql, &[&asked_roles, &asked_relations]).await.during("read the privileges")?;
    let privileges = rows.iter().map(|row| {
        let it =
            Privileges { select: row.get(2), insert: row.get(3), update: row.get(4), delete: row.get(5) };
        ((row.get(0), row.get(1)), it)
    });
    let privileges = privileges.collect();
    Ok(Catalog { roles, asked_roles, relations, asked_relations, policies, privileges })
}

/// A value of the type "char".
fn letter(byte: i8) -> char {
    u8::try_from(byte).map_or('?', char::from)
}
