//! Each rule about leaks, with and without what makes it one.

use super::*;
use crate::catalog::{Name, PublicGrant, Routine};

fn name(name: &str) -> Name {
    let (schema, name) = name.split_once('.').unwrap();
    Name { schema: schema.to_owned(), name: name.to_owned() }
}

fn catalog() -> Catalog {
    Catalog { exposed: vec!["api".to_owned()], ..Catalog::default() }
}

fn table(oid: u32, is_called: &str) -> Table {
    Table { oid, name: name(is_called), ..Table::default() }
}

fn protected(oid: u32, is_called: &str) -> Table {
    Table { has_rls: true, has_policies: true, ..table(oid, is_called) }
}

fn view(oid: u32, is_called: &str, reads: &[u32]) -> View {
    View { oid, name: name(is_called), reads: reads.to_vec(), ..View::default() }
}

#[track_caller]
fn case(catalog: &Catalog, expected: &[(&str, &str)]) {
    let found: Vec<(String, String)> =
        check(catalog).into_iter().map(|it| (it.rule.code().to_owned(), it.object)).collect();
    let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn tables_of_exposed_schemas_need_row_level_security() {
    let relying = |more: Table| Catalog { tables: vec![protected(1, "api.a"), more], ..catalog() };
    case(&relying(table(2, "api.b")), &[("rls-off", "api.b")]);
    case(&relying(table(2, "private.b")), &[]);
    case(&relying(Table { has_policies: true, ..table(2, "api.B") }), &[("rls-off", "api.\"B\"")]);
    case(&relying(Table { is_partition: true, ..table(2, "api.b") }), &[]);
    case(
        &relying(Table { is_partition: true, is_granted: true, ..table(2, "api.b") }),
        &[("rls-off", "api.b")],
    );
}

#[test]
fn a_database_without_row_level_security_is_told_only_where_it_is_granted() {
    let alone = |it: Table| Catalog { tables: vec![it], ..catalog() };
    case(&alone(table(1, "api.a")), &[]);
    case(&alone(Table { is_granted: true, ..table(1, "api.a") }), &[("rls-off", "api.a")]);
}

#[test]
fn views_read_as_their_caller() {
    let with = |views: Vec<View>| Catalog {
        tables: vec![protected(1, "private.a"), table(2, "private.b")],
        views,
        ..catalog()
    };
    let invoker = |it: View| View { is_invoker: true, ..it };
    case(&with(vec![view(3, "api.v", &[2, 1])]), &[("view-bypasses-rls", "api.v")]);
    case(&with(vec![view(3, "api.v", &[2])]), &[]);
    case(&with(vec![invoker(view(3, "api.v", &[1]))]), &[]);
    case(&with(vec![view(3, "private.v", &[1])]), &[]);
    // The outermost one that reads as its owner is the one to mend.
    case(
        &with(vec![view(3, "api.v", &[4]), invoker(view(4, "private.w", &[1]))]),
        &[("view-bypasses-rls", "api.v")],
    );
    case(
        &with(vec![invoker(view(3, "api.v", &[4])), view(4, "private.w", &[1])]),
        &[("view-bypasses-rls", "private.w")],
    );
    case(
        &with(vec![
            invoker(view(3, "api.v", &[5])),
            invoker(view(4, "api.w", &[5])),
            view(5, "private.x", &[1]),
        ]),
        &[("view-bypasses-rls", "private.x")],
    );
}

#[test]
fn materialized_views_are_leaks_where_they_are_read() {
    let of = |is_called: &str, is_granted| {
        let it = View { is_materialized: true, is_granted, ..view(3, is_called, &[1]) };
        Catalog { tables: vec![protected(1, "api.a")], views: vec![it], ..catalog() }
    };
    case(&of("api.m", true), &[("view-bypasses-rls", "api.m")]);
    case(&of("api.m", false), &[]);
    case(&of("private.m", true), &[]);
    let mut through = of("private.m", true);
    through.views.push(view(4, "api.v", &[3]));
    case(&through, &[]);
}

#[test]
fn definers_set_their_search_path() {
    let with = |is_definer, has_search_path| Catalog {
        routines: vec![Routine {
            name: name("private.f"),
            arguments: "a integer".to_owned(),
            is_definer,
            has_search_path,
            ..Routine::default()
        }],
        ..catalog()
    };
    case(&with(true, false), &[("definer-without-search-path", "private.f(a integer)")]);
    case(&with(true, true), &[]);
    case(&with(false, false), &[]);
}

#[test]
fn policies_name_rows() {
    let with = |using: Option<Option<&str>>, check: Option<Option<&str>>| {
        let condition = |it: Option<&str>| Condition { text: "x".to_owned(), left: it.map(str::to_owned) };
        Catalog {
            tables: vec![Table { not_null: vec!["id".to_owned()], ..protected(1, "api.a") }],
            policies: vec![Policy {
                name: "p".to_owned(),
                table: 1,
                using: using.map(condition),
                check: check.map(condition),
                ..Policy::default()
            }],
            ..catalog()
        }
    };
    let some = Some("(owner = CURRENT_USER)");
    let found: &[_] = &[("policy-always-true", "api.a")];
    case(&with(Some(None), None), found);
    case(&with(Some(some), Some(None)), found);
    case(&with(None, Some(None)), found);
    case(&with(Some(Some("(id IS NOT NULL)")), None), found);
    case(&with(Some(Some("(owner IS NOT NULL)")), None), &[]);
    case(&with(Some(some), Some(some)), &[]);
    case(&with(None, None), &[]);
}

#[test]
fn foreign_keys_need_an_index_that_begins_with_them() {
    let key = ForeignKey {
        table: 1,
        table_name: name("private.a"),
        columns: vec![2, 3],
        column_names: vec!["b".to_owned(), "c".to_owned()],
        references: name("private.r"),
        ..ForeignKey::default()
    };
    let with = |columns: &[i16], more: fn(&mut Index)| {
        let mut index =
            Index { table: 1, columns: columns.to_vec(), method: "btree".to_owned(), ..Index::default() };
        more(&mut index);
        Catalog { foreign_keys: vec![key.clone()], indexes: vec![index], ..catalog() }
    };
    let found: &[_] = &[("foreign-key-without-index", "private.a")];
    let plain = |_: &mut Index| {};
    for columns in [&[2, 3][..], &[3, 2], &[3, 2, 1]] {
        case(&with(columns, plain), &[]);
    }
    for columns in [&[2][..], &[1, 2, 3], &[2, 1, 3], &[0, 0], &[]] {
        case(&with(columns, plain), found);
    }
    case(&with(&[3], |it| it.is_unique = true), &[]);
    case(&with(&[3, 1], |it| it.is_unique = true), found);
    case(&with(&[2, 3], |it| it.table = 9), found);
    case(&with(&[2, 3], |it| it.method = "brin".to_owned()), found);
    case(&with(&[2, 3], |it| it.predicate = Some("(c > 0)".to_owned())), found);
    case(&with(&[2, 3], |it| it.predicate = Some("(c IS NOT NULL)".to_owned())), &[]);
}

#[test]
fn public_holds_nothing() {
    let grant = PublicGrant {
        oid: 1,
        kind: "table".to_owned(),
        schema: "private".to_owned(),
        object: "private.a".to_owned(),
        privileges: vec!["SELECT".to_owned()],
        ..PublicGrant::default()
    };
    let leaks = check(&Catalog { public_grants: vec![grant], ..catalog() });
    assert_eq!(leaks.len(), 1);
    assert_eq!(leaks[0].does, "PUBLIC holds select on table `private.a`");
}
