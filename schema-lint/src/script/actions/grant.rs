//! `GRANT … TO PUBLIC` on what the catalog does not tell apart from the privileges that PUBLIC has anyway: routines,
//! types, languages, databases. Grants on the rest are found in the catalog.

use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::{self, AstNode};

use super::{Action, Kind, Place, text};

/// One action for each routine or schema of routines, and one for anything else.
pub(super) fn actions(grant: &ast::Grant, at: &Place<'_>) -> Vec<Action> {
    let is_public = grant
        .role_ref_list()
        .is_some_and(|it| it.role_refs().any(|role| text(&role).eq_ignore_ascii_case("public")));
    let Some(objects) = grant.on_privilege_objects_clause().and_then(|it| it.privilege_objects()) else {
        return Vec::new();
    };
    if !is_public {
        return Vec::new();
    }
    let action = |target: Option<String>, name: String| Action {
        kind: Kind::GrantToPublic,
        target,
        name: Some(name),
        line: at.line(grant.syntax()),
    };
    let all_in = |schemas: Vec<ast::SchemaRef>| {
        schemas.iter().map(|it| action(Some(format!("{}.*", text(it))), format!("{}.*", text(it)))).collect()
    };
    match &objects {
        ast::PrivilegeObjects::PrivilegeAllFunctionsInSchema(it) => all_in(it.schema_refs().collect()),
        ast::PrivilegeObjects::PrivilegeAllProceduresInSchema(it) => all_in(it.schema_refs().collect()),
        ast::PrivilegeObjects::PrivilegeAllRoutinesInSchema(it) => all_in(it.schema_refs().collect()),
        ast::PrivilegeObjects::PrivilegeFunction(_)
        | ast::PrivilegeObjects::PrivilegeProcedure(_)
        | ast::PrivilegeObjects::PrivilegeRoutine(_) => objects
            .syntax()
            .descendants()
            .filter(|it| {
                matches!(
                    it.kind(),
                    SyntaxKind::FUNCTION_SIG | SyntaxKind::PROCEDURE_SIG | SyntaxKind::ROUTINE_SIG
                )
            })
            .map(|it| {
                let signature = it.text().to_string().trim().to_owned();
                let name = signature.split('(').next().unwrap_or_default().trim().to_owned();
                action(Some(name), signature)
            })
            .collect(),
        ast::PrivilegeObjects::PrivilegeDatabase(_)
        | ast::PrivilegeObjects::PrivilegeDomain(_)
        | ast::PrivilegeObjects::PrivilegeForeignDataWrapper(_)
        | ast::PrivilegeObjects::PrivilegeLanguage(_)
        | ast::PrivilegeObjects::PrivilegeLargeObject(_)
        | ast::PrivilegeObjects::PrivilegeParameter(_)
        | ast::PrivilegeObjects::PrivilegeTablespace(_)
        | ast::PrivilegeObjects::PrivilegeType(_) => {
            vec![action(None, text(&objects))]
        }
        _ => Vec::new(),
    }
}
