//! Helpers of the grammar's tests, and tests of whole query strings.

use proptest::prelude::*;

use super::{parameter_name, parse};
use crate::config::Unread;
use crate::error::ApiRequestError;

/// Position and details of a parse error, on one line.
pub(super) fn failure_of(error: ApiRequestError) -> String {
    let ApiRequestError::QueryParam(message, details) = error else {
        return format!("another error: {error:?}");
    };
    let position = message.rfind("(line").map_or(message.as_str(), |at| &message[at..]);
    format!("{position}: {details}")
}

#[test]
fn parameters_find_their_place() {
    let query = "select=id,c(name)&id=eq.1&c.name=like.a*&order=id&c.order=name.desc&limit=5&offset=2\
                 &c.limit=3&or=(a.eq.1,b.eq.2)&c.not.and=(x.is.null)&columns=a,b&on_conflict=a";
    let params = parse(query.as_bytes(), false, Unread::Ignore).unwrap();
    insta::assert_debug_snapshot!(params, @r#"
    QueryParams {
        canonical: "c.limit=3&c.name=like.a%2A&c.not.and=%28x.is.null%29&c.order=name.desc&columns=a%2Cb&id=eq.1&limit=5&offset=2&on_conflict=a&or=%28a.eq.1%2Cb.eq.2%29&order=id&select=id%2Cc%28name%29",
        params: [],
        ranges: [
            (
                [],
                Range {
                    offset: 2,
                    limit: Some(
                        5,
                    ),
                },
            ),
            (
                [
                    "c",
                ],
                Range {
                    offset: 0,
                    limit: Some(
                        3,
                    ),
                },
            ),
        ],
        order: [
            (
                [],
                [
                    Field {
                        field: Field {
                            name: "id",
                            json_path: [],
                        },
                        direction: None,
                        nulls: None,
                    },
                ],
            ),
            (
                [
                    "c",
                ],
                [
                    Field {
                        field: Field {
                            name: "name",
                            json_path: [],
                        },
                        direction: Some(
                            Desc,
                        ),
                        nulls: None,
                    },
                ],
            ),
        ],
        logic: [
            (
                [],
                Expr {
                    negated: false,
                    operator: Or,
                    operands: [
                        Stmnt(
                            Filter {
                                field: Field {
                                    name: "a",
                                    json_path: [],
                                },
                                op_expr: Expr {
                                    negated: false,
                                    operation: Quant(
                                        Equal,
                                        None,
                                        "1",
                                    ),
                                },
                            },
                        ),
                        Stmnt(
                            Filter {
                                field: Field {
                                    name: "b",
                                    json_path: [],
                                },
                                op_expr: Expr {
                                    negated: false,
                                    operation: Quant(
                                        Equal,
                                        None,
                                        "2",
                                    ),
                                },
                            },
                        ),
                    ],
                },
            ),
            (
                [
                    "c",
                ],
                Expr {
                    negated: true,
                    operator: And,
                    operands: [
                        Stmnt(
                            Filter {
                                field: Field {
                                    name: "x",
                                    json_path: [],
                                },
                                op_expr: Expr {
                                    negated: false,
                                    operation: Is(
                                        Null,
                                    ),
                                },
                            },
                        ),
                    ],
                },
            ),
        ],
        columns: Some(
            {
                "a",
                "b",
            },
        ),
        select: [
            SelectTree {
                item: Field {
                    field: Field {
                        name: "id",
                        json_path: [],
                    },
                    aggregate: None,
                    aggregate_cast: None,
                    cast: None,
                    alias: None,
                },
                children: [],
            },
            SelectTree {
                item: Relation {
                    name: "c",
                    alias: None,
                    hint: None,
                    join: None,
                },
                children: [
                    SelectTree {
                        item: Field {
                            field: Field {
                                name: "name",
                                json_path: [],
                            },
                            aggregate: None,
                            aggregate_cast: None,
                            cast: None,
                            alias: None,
                        },
                        children: [],
                    },
                ],
            },
        ],
        filters: [
            (
                [],
                Filter {
                    field: Field {
                        name: "id",
                        json_path: [],
                    },
                    op_expr: Expr {
                        negated: false,
                        operation: Quant(
                            Equal,
                            None,
                            "1",
                        ),
                    },
                },
            ),
            (
                [
                    "c",
                ],
                Filter {
                    field: Field {
                        name: "name",
                        json_path: [],
                    },
                    op_expr: Expr {
                        negated: false,
                        operation: Quant(
                            Like,
                            None,
                            "a*",
                        ),
                    },
                },
            ),
        ],
        filters_root: [
            Filter {
                field: Field {
                    name: "id",
                    json_path: [],
                },
                op_expr: Expr {
                    negated: false,
                    operation: Quant(
                        Equal,
                        None,
                        "1",
                    ),
                },
            },
        ],
        filters_not_root: [
            (
                [
                    "c",
                ],
                Filter {
                    field: Field {
                        name: "name",
                        json_path: [],
                    },
                    op_expr: Expr {
                        negated: false,
                        operation: Quant(
                            Like,
                            None,
                            "a*",
                        ),
                    },
                },
            ),
        ],
        filter_fields: {
            "c.name",
            "id",
        },
        on_conflict: Some(
            [
                "a",
            ],
        ),
    }
    "#);
}

#[test]
fn arguments_of_a_call_are_values_without_an_operator() {
    let params = parse(b"a=1&b=eq.2&c=x.y&d=%7B1%7D&empty=", true, Unread::Ignore).unwrap();
    assert_eq!(
        params.params,
        [("a", "1"), ("c", "x.y"), ("d", "{1}"), ("empty", "")].map(|(k, v)| (k.to_owned(), v.to_owned()))
    );
    assert_eq!(params.filters_root.len(), 1);
    assert_eq!(params.filters_root[0].field.name, "b");
}

#[test]
fn messages_quote_the_text_as_written() {
    let message = |query: &[u8]| parse(query, false, Unread::Ignore).unwrap_err().to_string();
    insta::assert_snapshot!(message(b"or=()"), @r#""failed to parse logic tree (())" (line 1, column 4)"#);
    insta::assert_snapshot!(message(b"columns="), @r#""failed to parse columns parameter ()" (line 1, column 1)"#);
    insta::assert_snapshot!(message(b"id=0"), @r#""failed to parse filter (0)" (line 1, column 1)"#);
    insta::assert_snapshot!(message(b"(=eq.0"), @r#""failed to parse tree path (()" (line 1, column 1)"#);
    insta::assert_snapshot!(message(b"on_conflict=,"), @r#""failed to parse on_conflict parameter (,)" (line 1, column 1)"#);
    insta::assert_snapshot!(message(b"id=eq.%ff"), @"failed to parse the query string");
}

/// Text likely to get deep into the grammar.
fn grammatical() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("select=".to_owned()),
        Just("or=".to_owned()),
        Just("order=".to_owned()),
        Just("columns=".to_owned()),
        Just("a.b=".to_owned()),
        Just("limit=".to_owned()),
        "[a-z]{1,3}",
        "[0-9]{1,3}",
        Just("eq.".to_owned()),
        Just("not.".to_owned()),
        Just("in.".to_owned()),
        Just("and".to_owned()),
        Just("count()".to_owned()),
        Just("...".to_owned()),
        Just("->".to_owned()),
        Just("->>".to_owned()),
        Just("::".to_owned()),
        "[(),.:!&;\"\\\\{}*%+ -]",
        "\\PC",
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

#[test]
fn a_columns_parameter_is_read_as_that_column() {
    for column in [
        "id",
        "a b",
        "größe",
        "a-b",
        " a",
        "a ",
        "a.b",
        "a->b",
        "a\"b",
        "a\\b",
        "select",
        "columns",
        "on_conflict",
        "order",
        "limit",
        "offset",
        "and",
        "or",
        "not",
        "a.limit",
        "a,b",
        "a:b",
        "a::b",
        "(a)",
        "a=b&c",
        "*",
        "💡",
        "a+b%",
    ] {
        let name = parameter_name(column);
        let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
        let params = parse(format!("{encoded}=eq.1").as_bytes(), false, Unread::Refuse).unwrap();
        let fields: Vec<_> = params.filters_root.iter().map(|it| it.field.name.as_str()).collect();
        assert_eq!(fields, [column], "{name}");
        assert!(params.filters_root[0].field.json_path.is_empty(), "{name}");
    }
    assert_eq!(parameter_name("id"), "id");
    assert_eq!(parameter_name("a b"), "a b");
}

#[test]
fn text_behind_an_expression_is_passed_over_or_refused() {
    let show = |query: &str, is_call| match parse(query.as_bytes(), is_call, Unread::Refuse) {
        Ok(_) => "read".to_owned(),
        Err(ApiRequestError::UnreadParameter { parameter, why }) => format!("{parameter}: {why}"),
        Err(error) => failure_of(error),
    };
    for query in [
        "data->>age::int=gt.5",
        "data->age::int=gt.5",
        "lines.data->>age::int=gt.5",
        "id::text=eq.1",
        "id=is.nullx",
        "id=in.(1,2)3",
        "id)=eq.1",
        "or=(a.eq.1,b.eq.2)c",
        "select=a)b",
        "select=a,b(c))",
        "columns=a,b)c",
        "on_conflict=a:b",
        "lines.or:x.limit=3",
    ] {
        assert!(parse(query.as_bytes(), false, Unread::Ignore).is_ok(), "{query} is passed over");
        assert_ne!(show(query, false), "read", "{query}");
    }
    insta::assert_snapshot!(show("data->>age::int=gt.5", false), @"data->>age::int: a filter has no cast, so '::int' has no effect");
    insta::assert_snapshot!(show("id=is.nullx", false), @"(line 1, column 8): unexpected 'x' expecting end of input");
    insta::assert_snapshot!(show("id=in.(1,2)3", false), @"(line 1, column 9): unexpected '3' expecting end of input");
    assert!(show("or=(a.eq.1,b.eq.2)c", false).contains("unexpected 'c' expecting"));
    for query in [
        "select=a,b(c),...d(e)&id=eq.x)y&b.c=in.(1,2)&or=(a.eq.1,b.in.(1,2))&b.not.and=(a.is.null)&order=a.desc,b&limit=1&columns=a,b&on_conflict=a",
        "data->>age=gt.5",
        "select=data->>age::int",
        "\"a::b\"=eq.1",
        "a=fts(english).x y",
    ] {
        assert_eq!(show(query, false), "read", "{query}");
    }
    // An argument's value is read whatever it is.
    assert_eq!(show("a=1)x&b=x::int&c=", true), "read");
    assert_ne!(show("a=is.nullx", true), "read");
}

proptest! {
    #[test]
    fn any_bytes_are_answered(query in prop::collection::vec(any::<u8>(), 0..64), is_call: bool) {
        let _ = parse(&query, is_call, Unread::Ignore);
    }

    #[test]
    fn any_mix_of_tokens_is_answered(query in grammatical(), is_call: bool) {
        if let Err(ApiRequestError::QueryParam(message, details)) = parse(query.as_bytes(), is_call, Unread::Ignore) {
            let of_encoding = message == "failed to parse the query string";
            prop_assert!(of_encoding || message.starts_with("\"failed to parse"), "{message}");
            prop_assert!(!details.is_empty() && details != "unknown parse error", "{message}: {details}");
        }
    }

    #[test]
    fn quoted_names_come_back_as_they_were(name in "\\PC{1,12}") {
        let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
        let encoded: String = percent_encoding::utf8_percent_encode(&quoted, percent_encoding::NON_ALPHANUMERIC).collect();
        let params = parse(format!("select={encoded}&{encoded}=eq.1&order={encoded}").as_bytes(), false, Unread::Ignore);
        // A parameter name is also looked at for its last word, which a quoted dot may hide.
        let reserved = ["order", "limit", "offset", "and", "or"];
        prop_assume!(!reserved.contains(&quoted.rsplit('.').next().unwrap_or_default()));
        let params = params.unwrap();
        prop_assert_eq!(&params.filters_root[0].field.name, &name);
        let crate::api_request::types::SelectItem::Field { field, .. } = &params.select[0].item else {
            return Err(TestCaseError::fail("not a column"));
        };
        prop_assert_eq!(&field.name, &name);
    }

    #[test]
    fn quoted_list_elements_come_back_as_they_were(elements in prop::collection::vec("\\PC{0,8}", 1..5)) {
        let list: Vec<_> = elements
            .iter()
            .map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        let list = format!("in.({})", list.join(","));
        let encoded: String = percent_encoding::utf8_percent_encode(&list, percent_encoding::NON_ALPHANUMERIC).collect();
        let params = parse(format!("a={encoded}").as_bytes(), false, Unread::Ignore).unwrap();
        let crate::api_request::types::OpExpr::Expr { operation, .. } = &params.filters_root[0].op_expr else {
            return Err(TestCaseError::fail("no operator"));
        };
        prop_assert_eq!(operation, &crate::api_request::types::Operation::In(elements));
    }
}
