//! One statement, parsed → what in it may lock or rewrite a relation that was there before.
//!
//! Only the harmful forms become actions: what says `CONCURRENTLY`, `NOT VALID` or `USING INDEX` is left out. Whether
//! an action does harm to its relation is for [`crate::locks`], which knows what the server did.

mod grant;
mod table;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode};

/// The strength of an explicit lock, as far as it blocks writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Reads and writes wait.
    AccessExclusive,
    /// Writes wait.
    Writes,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the SQL")]
pub enum Kind {
    CreateIndex,
    DropIndex,
    Reindex,
    Refresh,
    VacuumFull,
    LockTable(LockMode),
    EveryRow,
    DomainConstraint,
    ColumnType,
    SetNotNull,
    ColumnDefault,
    ColumnGenerated,
    ColumnSequence,
    ColumnRequired,
    Check,
    ForeignKey,
    Unique,
    Exclusion,
    /// A constraint added `NOT VALID`: harmless by itself.
    NotValid,
    Validate,
    Persistence,
    Tablespace,
    AccessMethod,
    Attach,
    Detach,
    GrantToPublic,
}

/// One thing that a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What.
    pub kind: Kind,
    /// The relation (or the domain) it is done to, as it is written; none where it is done to many.
    pub target: Option<String>,
    /// The column, constraint, index or partition, as it is written.
    pub name: Option<String>,
    /// Its line in the file.
    pub line: usize,
}

/// What is known of a statement.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) actions: Vec<Action>,
    pub(super) is_opaque: bool,
    pub(super) is_ddl: bool,
    pub(super) is_transaction_control: bool,
}

/// Parses one statement that begins on `line`.
pub(super) fn parse(sql: &str, line: usize) -> Parsed {
    let parse = SourceFile::parse(sql);
    let Some(stmt) = parse.tree().stmts().next() else {
        return Parsed { is_ddl: true, is_opaque: true, ..Parsed::default() };
    };
    let at = Place { sql, line };
    let actions = actions(&stmt, &at);
    // What is done concurrently builds indexes, too, and does no harm.
    let is_unknown = actions.is_empty()
        && !parse.errors().is_empty()
        && !sql.to_ascii_lowercase().contains("concurrently");
    Parsed {
        actions,
        is_opaque: is_unknown
            || matches!(
                stmt,
                ast::Stmt::Do(_)
                    | ast::Stmt::Call(_)
                    | ast::Stmt::Select(_)
                    | ast::Stmt::Execute(_)
                    | ast::Stmt::CreateExtension(_)
            ),
        is_ddl: !matches!(
            stmt,
            ast::Stmt::Insert(_)
                | ast::Stmt::Update(_)
                | ast::Stmt::Delete(_)
                | ast::Stmt::Merge(_)
                | ast::Stmt::Copy(_)
                | ast::Stmt::Values(_)
                | ast::Stmt::Analyze(_)
                | ast::Stmt::Set(_)
                | ast::Stmt::Reset(_)
                | ast::Stmt::Notify(_)
        ),
        is_transaction_control: match &stmt {
            ast::Stmt::Begin(_) | ast::Stmt::Commit(_) | ast::Stmt::PrepareTransaction(_) => true,
            ast::Stmt::Rollback(it) => !has(it, SyntaxKind::TO_KW),
            _ => false,
        },
    }
}

/// Where nodes of a statement stand in the file.
pub(super) struct Place<'a> {
    sql: &'a str,
    line: usize,
}

impl Place<'_> {
    /// The line on which a node has its first word.
    fn line(&self, node: &SyntaxNode) -> usize {
        let first = node
            .descendants_with_tokens()
            .filter_map(squawk_syntax::SyntaxElement::into_token)
            .find(|it| !matches!(it.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT));
        let at = first.map_or(node.text_range().start(), |it| it.text_range().start());
        self.line + self.sql.as_bytes()[..usize::from(at)].iter().filter(|it| **it == b'\n').count()
    }

    fn action(&self, node: &SyntaxNode, kind: Kind, target: Option<String>, name: Option<String>) -> Action {
        Action { kind, target, name, line: self.line(node) }
    }
}

/// The text of a node without blanks and comments around it.
fn text(node: &impl AstNode) -> String {
    node.syntax().text().to_string().trim().to_owned()
}

fn text_of(node: Option<impl AstNode>) -> Option<String> {
    node.map(|it| text(&it))
}

/// The relation's name, without `ONLY`, `*` and parentheses.
fn relation(name: Option<ast::TableRelationName>) -> Option<String> {
    text_of(name?.table_name_ref())
}

/// Whether a keyword stands anywhere in it.
fn has(node: &impl AstNode, kind: SyntaxKind) -> bool {
    node.syntax().descendants_with_tokens().any(|it| it.kind() == kind)
}

fn actions(stmt: &ast::Stmt, at: &Place<'_>) -> Vec<Action> {
    let node = stmt.syntax();
    let one = |kind, target, name| vec![at.action(node, kind, target, name)];
    let each = |kind, targets: Vec<String>| {
        if targets.is_empty() {
            return one(kind, None, None);
        }
        targets.into_iter().map(|it| at.action(node, kind, Some(it), None)).collect()
    };
    match stmt {
        ast::Stmt::AlterTable(it) => table::actions(it, at),
        ast::Stmt::Grant(it) => grant::actions(it, at),
        ast::Stmt::CreateIndex(it) if it.concurrently_token().is_none() => {
            one(Kind::CreateIndex, relation(it.table_relation_name()), text_of(it.index()))
        }
        ast::Stmt::DropIndex(it) if it.concurrently_token().is_none() => {
            each(Kind::DropIndex, it.index_refs().map(|it| text(&it)).collect())
        }
        ast::Stmt::Reindex(it) if !has(it, SyntaxKind::CONCURRENTLY_KW) => {
            let target = match it.reindex_target() {
                Some(ast::ReindexTarget::ReindexTargetTable(it)) => text_of(it.table_name_ref()),
                Some(ast::ReindexTarget::ReindexTargetIndex(it)) => text_of(it.index_ref()),
                _ => None,
            };
            one(Kind::Reindex, target, None)
        }
        ast::Stmt::Refresh(it) if it.concurrently_token().is_none() && !has(it, SyntaxKind::NO_KW) => {
            one(Kind::Refresh, text_of(it.view_ref()), None)
        }
        ast::Stmt::Vacuum(it) if is_full(it) => each(Kind::VacuumFull, listed(it.table_and_columns_list())),
        ast::Stmt::Repack(it) if !has(it, SyntaxKind::CONCURRENTLY_KW) => {
            each(Kind::VacuumFull, listed(it.table_and_columns_list()))
        }
        ast::Stmt::Cluster(it) => {
            let legacy = || text_of(it.cluster_legacy()?.on_path()?.table_name_ref());
            one(Kind::VacuumFull, text_of(it.table_name_ref()).or_else(legacy), None)
        }
        ast::Stmt::Lock(it) => match lock_mode(it) {
            Some(mode) => each(
                Kind::LockTable(mode),
                it.relation_list()
                    .into_iter()
                    .flat_map(|it| it.relation_names())
                    .filter_map(|it| text_of(it.relation_name_ref()))
                    .collect(),
            ),
            None => Vec::new(),
        },
        ast::Stmt::Update(it) if it.where_clause_or_current_of().is_none() && it.from_clause().is_none() => {
            one(Kind::EveryRow, it.relation_name().and_then(|it| text_of(it.relation_name_ref())), None)
        }
        ast::Stmt::Delete(it) if it.where_clause_or_current_of().is_none() && it.using_clause().is_none() => {
            one(Kind::EveryRow, it.relation_name().and_then(|it| text_of(it.relation_name_ref())), None)
        }
        ast::Stmt::AlterDomain(it) => match it.action() {
            Some(ast::AlterDomainAction::AddConstraint(added)) if !has(&added, SyntaxKind::VALID_KW) => {
                one(Kind::DomainConstraint, text_of(it.domain_ref()), None)
            }
            Some(ast::AlterDomainAction::SetNotNull(_)) => {
                one(Kind::DomainConstraint, text_of(it.domain_ref()), None)
            }
            _ => Vec::new(),
        },
        ast::Stmt::AlterMaterializedView(it) => it
            .action()
            .filter_map(|action| {
                let kind = match action.syntax().kind() {
                    SyntaxKind::SET_TABLESPACE => Kind::Tablespace,
                    SyntaxKind::SET_ACCESS_METHOD => Kind::AccessMethod,
                    _ => return None,
                };
                Some(at.action(action.syntax(), kind, text_of(it.view_ref()), None))
            })
            .collect(),
        ast::Stmt::AlterIndex(it) if has(it, SyntaxKind::TABLESPACE_KW) => {
            one(Kind::Tablespace, text_of(it.index_ref()), None)
        }
        _ => Vec::new(),
    }
}

fn listed(list: Option<ast::TableAndColumnsList>) -> Vec<String> {
    list.into_iter()
        .flat_map(|it| it.table_and_columnss())
        .filter_map(|it| relation(it.table_relation_name()))
        .collect()
}

/// `VACUUM FULL`, or `VACUUM (FULL)` with a value that is true.
fn is_full(vacuum: &ast::Vacuum) -> bool {
    let by_option = |it: ast::VacuumOption| {
        let is_full = text_of(it.vacuum_option_name()).is_some_and(|it| it.eq_ignore_ascii_case("full"));
        let value = text_of(it.vacuum_option_value()).unwrap_or_default().to_ascii_lowercase();
        is_full && !matches!(value.trim_matches('\''), "false" | "off" | "0" | "no")
    };
    vacuum.full_token().is_some()
        || vacuum.vacuum_option_list().is_some_and(|it| it.vacuum_options().any(by_option))
}

/// The mode, when it blocks writes; without one it is the strongest.
fn lock_mode(lock: &ast::Lock) -> Option<LockMode> {
    match lock.lock_mode_clause().and_then(|it| it.lock_mode()) {
        None | Some(ast::LockMode::AccessExclusive(_)) => Some(LockMode::AccessExclusive),
        Some(ast::LockMode::Exclusive(_) | ast::LockMode::Share(_) | ast::LockMode::ShareRowExclusive(_)) => {
            Some(LockMode::Writes)
        }
        Some(_) => None,
    }
}
