//! `ALTER TABLE`: each of its comma-separated parts.

use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::{self, AstNode};

use super::{Action, Kind, Place, relation, text_of};

/// What the parts of it do.
pub(super) fn actions(alter: &ast::AlterTable, at: &Place<'_>) -> Vec<Action> {
    let target = relation(alter.table_relation_name());
    let mut out = Vec::new();
    for part in alter.actions() {
        let mut add = |kind, name| out.push(at.action(part.syntax(), kind, target.clone(), name));
        match &part {
            ast::AlterTableAction::AlterColumn(it) => {
                let column = text_of(it.column_name_ref());
                match it.option() {
                    Some(ast::AlterColumnOption::SetType(_)) => add(Kind::ColumnType, column),
                    Some(ast::AlterColumnOption::SetNotNull(_)) => add(Kind::SetNotNull, column),
                    Some(ast::AlterColumnOption::SetExpression(_)) => add(Kind::ColumnGenerated, column),
                    _ => {}
                }
            }
            ast::AlterTableAction::AddColumn(it) => {
                for kind in new_column(it) {
                    add(kind, text_of(it.column_name()));
                }
            }
            ast::AlterTableAction::AddConstraint(it) => {
                if let Some(constraint) = it.constraint() {
                    let (kind, name) = new_constraint(&constraint);
                    out.extend(kind.map(|kind| at.action(part.syntax(), kind, target.clone(), name)));
                }
            }
            ast::AlterTableAction::ValidateConstraint(it) => {
                add(Kind::Validate, text_of(it.constraint_name_ref()));
            }
            ast::AlterTableAction::SetLogged(_) | ast::AlterTableAction::SetUnlogged(_) => {
                add(Kind::Persistence, None);
            }
            ast::AlterTableAction::SetTablespace(_) => add(Kind::Tablespace, None),
            ast::AlterTableAction::SetAccessMethod(_) => add(Kind::AccessMethod, None),
            ast::AlterTableAction::AttachPartition(it) => {
                let partition = text_of(it.table_name_ref());
                out.push(at.action(part.syntax(), Kind::Attach, partition.clone(), partition));
            }
            ast::AlterTableAction::DetachPartition(it) if it.detach_partition_option().is_none() => {
                add(Kind::Detach, text_of(it.table_name_ref()));
            }
            _ => {}
        }
    }
    out
}

/// What a new column may cost.
fn new_column(column: &ast::AddColumn) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let is_serial = text_of(column.ty()).is_some_and(|it| {
        let name = it.to_ascii_lowercase();
        ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"].contains(&name.as_str())
    });
    if is_serial {
        kinds.push(Kind::ColumnSequence);
    }
    let (mut is_filled, mut is_required) = (is_serial, false);
    for constraint in column.constraints() {
        match &constraint {
            ast::Constraint::DefaultConstraint(it) => {
                is_filled = !text_of(it.expr()).is_some_and(|it| it.eq_ignore_ascii_case("null"));
                if !it.expr().is_some_and(|it| matches!(it, ast::Expr::Literal(_))) {
                    kinds.push(Kind::ColumnDefault);
                }
            }
            ast::Constraint::GeneratedConstraint(it) => {
                is_filled = true;
                kinds.push(match it.generated_as() {
                    Some(ast::GeneratedAs::GeneratedIdentity(_)) => Kind::ColumnSequence,
                    _ => Kind::ColumnGenerated,
                });
            }
            ast::Constraint::NotNullConstraint(_) => is_required = true,
            other => kinds.extend(new_constraint(other).0.filter(|it| *it != Kind::NotValid)),
        }
    }
    if is_required && !is_filled {
        kinds.push(Kind::ColumnRequired);
    }
    kinds
}

/// What a constraint may cost, and its name.
fn new_constraint(constraint: &ast::Constraint) -> (Option<Kind>, Option<String>) {
    let named = |it: Option<ast::ConstraintNameClause>| text_of(it.and_then(|it| it.constraint_name()));
    let is_valid = !constraint.syntax().children().any(|it| it.kind() == SyntaxKind::NOT_VALID);
    let checked = |kind| Some(if is_valid { kind } else { Kind::NotValid });
    match constraint {
        ast::Constraint::CheckConstraint(it) => (checked(Kind::Check), named(it.constraint_name_clause())),
        ast::Constraint::ForeignKeyConstraint(it) => {
            (checked(Kind::ForeignKey), named(it.constraint_name_clause()))
        }
        ast::Constraint::ReferencesConstraint(it) => {
            (checked(Kind::ForeignKey), named(it.constraint_name_clause()))
        }
        ast::Constraint::NotNullConstraint(it) => (checked(Kind::SetNotNull), text_of(it.column_name_ref())),
        ast::Constraint::ExcludeConstraint(it) => (Some(Kind::Exclusion), named(it.constraint_name_clause())),
        ast::Constraint::UniqueConstraint(it) if it.using_index().is_none() => {
            (Some(Kind::Unique), named(it.constraint_name_clause()))
        }
        ast::Constraint::PrimaryKeyConstraint(it) => {
            // By an index that is there it builds none, and reads the table where a column was not NOT NULL.
            let kind = if it.using_index().is_none() { Kind::Unique } else { Kind::SetNotNull };
            (Some(kind), named(it.constraint_name_clause()))
        }
        _ => (None, None),
    }
}
