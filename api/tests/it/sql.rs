//! Requests as the statements they become, against a fixture schema cache.
//!
//! Snapshots show the text of the main statement, then its binds.

use api::sql::types::Statement;

use crate::fixture::{LONG, conf, query, query_with};

fn render(statement: &Statement) -> String {
    let mut out = statement.text().to_owned();
    for (index, param) in statement.params.iter().enumerate() {
        let value = match &param.value {
            Some(value) => String::from_utf8_lossy(value).into_owned(),
            None => "NULL".to_owned(),
        };
        out.push_str(&format!("\n  ${} {:?}: {value}", index + 1, param.ty));
    }
    out
}

/// The layer between `pgrst_source AS (` and its end is what differs from case to case; the snapshot
/// keeps the whole so that nothing around it changes unseen.
fn render_all(requests: &[&str]) -> String {
    let rendered = requests.iter().map(|text| {
        let main = query(text).aggregated().unwrap();
        format!("{text}\n{}\n", render(&main))
    });
    rendered.collect::<Vec<_>>().join("\n")
}

macro_rules! snapshots {
    ($($name:ident: [$($request:expr),+ $(,)?])+) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(render_all(&[$($request),+]));
            }
        )+

        /// All of them, for those who want to do more with them.
        pub(crate) const SNAPSHOTS: &[&str] = &[$($($request),+),+];
    };
}

snapshots! {
    read_columns: [
        "GET /clients",
        "GET /clients?select=id,n:name,name::text",
        "GET /documents?select=data->a->>0,x:datab->b,tags->1,data->0",
        "GET /documents?select=id,color",
        "GET /documents",
        "GET /we%22ird?select=\"a b\",\"q\\\"uote\"",
        "HEAD /clients",
    ]

    read_filters: [
        "GET /clients?id=eq.1&name=not.like.A*",
        "GET /clients?id=in.(1,2,\"a,b\",\"q\\\"\")&id=in.()",
        "GET /clients?name=ilike(any).{a*,b*}&id=gt(all).{1,2}&name=match.^a",
        "GET /clients?id=is.null&name=not.is.null&id=isdistinct.3&id=is.not_null",
        "GET /documents?words=fts(english).cat&data->>a=plfts.dog&tags=cs.{a}&name=wfts.x",
        "GET /documents?color=eq.red&color=in.(red,blue)&data->a->>b=eq.1&datab->0=gt.2&tags->0=eq.1",
        "GET /clients?or=(id.eq.1,and(name.eq.a,not.or(id.lt.3,id.gt.5)))&not.and=(id.neq.2,name.cd.{x})",
        "GET /clients?id=sl.[1,2]&id=sr.x&id=nxr.x&id=nxl.x&id=adj.x&id=ov.x",
    ]

    read_windows: [
        "GET /clients?order=name.desc.nullslast,id&limit=10&offset=5",
        "GET /clients?offset=5",
        "GET /clients?limit=0",
        "GET /documents?order=data->a.asc,tags->0.nullsfirst",
        "GET /clients?limit=10\nPrefer: count=exact",
        "GET /clients\nPrefer: count=exact",
        "GET /clients?id=gt.3\nPrefer: count=planned",
        "GET /projects?select=id,clients!inner(id)&clients.name=eq.a&limit=3\nPrefer: count=exact",
        "GET /projects?select=id,clients(id)&clients=is.null&limit=3\nPrefer: count=exact",
    ]

    read_embeds: [
        "GET /projects?select=id,clients(name)",
        "GET /clients?select=*,projects(*,tasks(name))&projects.id=gt.1&projects.order=id&projects.tasks.limit=2",
        "GET /users?select=id,tasks(id)",
        "GET /projects?select=*,c:clients!inner(*)&c.name=eq.a&order=c(name).desc",
        "GET /people?select=id,children:people(id),parent(id)",
        "GET /projects?select=id,computed_client(name)",
        "GET /projects?select=id,clients()&clients=not.is.null",
        "GET /clients?select=id,projects()&or=(projects.is.null,id.eq.1)",
        "GET /people?select=id,sent:messages!messages_sender_fkey(id),got:messages!recipient(id)",
        "GET /projects?select=client:client_id(name),projects_client_id_fkey(id)",
        "GET /projects?select=",
    ]

    read_spreads: [
        "GET /projects?select=id,...clients(client:name)",
        "GET /clients?select=id,...projects(name,pid:id)&projects.order=name.desc,id",
        "GET /clients?select=id,...projects(name,...clients(cn:name))",
        "GET /users?select=id,...tasks!inner(name)",
    ]

    read_aggregates: [
        "GET /projects?select=count()",
        "GET /projects?select=client_id,id.sum(),m:id.max()::text,id::text.min()",
        "GET /projects?select=client_id,name,...clients(id.count())",
        "GET /tasks?select=name,...projects(client_id,...clients(count()))",
        "GET /clients?select=*,count(),projects(id.sum())",
        "GET /documents?select=data->a,count()",
    ]

    insert: [
        "POST /clients\nPrefer: return=minimal\n\n{\"id\":1,\"name\":\"a\"}",
        "POST /clients?select=id\nPrefer: return=representation\n\n[{\"name\":\"a\"},{\"name\":\"b\"}]",
        "POST /clients?columns=id,name\nPrefer: return=headers-only, missing=default\n\n[{\"name\":\"a\"}]",
        "POST /clients?columns=id\nPrefer: missing=default\n\n{\"name\":\"a\"}",
        "POST /clients\nPrefer: resolution=merge-duplicates\n\n{\"id\":1,\"name\":\"a\"}",
        "POST /clients?on_conflict=name\nPrefer: resolution=ignore-duplicates\n\n{\"id\":1,\"name\":\"a\"}",
        "POST /no_key\nPrefer: resolution=merge-duplicates\n\n{\"a\":1}",
        "POST /clients\n\n{}",
        "POST /clients\n\n[{},{}]",
        "POST /documents\n\n{\"color\":\"red\"}",
        "POST /projects?select=name,clients(name),tasks(id)\nPrefer: return=representation\n\n{\"name\":\"a\"}",
        "POST /projects?select=name,computed_client(name)\nPrefer: return=representation\n\n{\"name\":\"a\"}",
    ]

    update_delete_put: [
        "PATCH /clients?id=eq.1&or=(name.eq.a,name.eq.b)\n\n{\"name\":\"x\"}",
        "PATCH /clients?id=eq.1\nPrefer: return=representation\n\n{}",
        "PATCH /clients\n\n{}",
        "PATCH /projects?id=gt.1&select=id,clients(name)&clients.name=eq.a&order=id\nPrefer: return=representation\n\n{\"name\":\"x\"}",
        "DELETE /clients?id=eq.1",
        "DELETE /clients?select=name&id=eq.1\nPrefer: return=representation",
        "PUT /clients?id=eq.1\nPrefer: return=representation\n\n{\"id\":1,\"name\":\"a\"}",
    ]

    call: [
        "GET /rpc/add_them?a=1&b=2",
        "POST /rpc/add_them\n\n{\"a\":1,\"b\":2}",
        "POST /rpc/add_them\nContent-Type: application/x-www-form-urlencoded\n\na=1&b=2",
        "GET /rpc/getproject?id=1&select=name,clients(name)&name=like.a*&order=client_id",
        "GET /rpc/getproject?id=1&limit=1\nPrefer: count=exact",
        "POST /rpc/one_project\n\n{}",
        "POST /rpc/names",
        "GET /rpc/sum_all?nums=1&nums=2",
        "POST /rpc/unnamed_json\n\n{\"x\":1}",
        "POST /rpc/unnamed_bytes\nContent-Type: application/octet-stream\n\nabc",
        "GET /rpc/overloaded?a=1&b=x",
    ]

    representations: [
        "GET /clients\nAccept: application/vnd.pgrst.object+json",
        "GET /clients\nAccept: application/vnd.pgrst.object+json;nulls=stripped",
        "GET /clients\nAccept: application/vnd.pgrst.array+json;nulls=stripped",
        "GET /clients\nAccept: text/csv",
        "GET /clients\nAccept: application/geo+json",
        "GET /clients\nAccept: text/html",
        "GET /clients\nAccept: application/vnd.pgrst.plan+json; options=analyze|verbose|settings|buffers|wal",
        "GET /rpc/add_them?a=1&b=2\nAccept: application/vnd.pgrst.object+json;nulls=stripped",
    ]
}

#[test]
fn transaction_settings() {
    let mut conf = conf();
    conf.app_settings = vec![("app.settings.a".to_owned(), "b".to_owned())];
    conf.role_settings.insert("anon".to_owned(), vec![("statement_timeout".to_owned(), "5s".to_owned())]);
    conf.db_pre_request = Some(api::schema_cache::identifiers::QualifiedIdentifier::parse("test.check"));
    let query = query_with(&conf, "GET /clients?id=eq.1\nX-One: 1\nCookie: a=b; c=d");
    insta::assert_snapshot!(render(&query.tx_vars));
    insta::assert_snapshot!(render(&query.pre_request.unwrap()), @r#"select "test"."check"()"#);
}

#[test]
fn planned_counts_explain_the_count() {
    let planned = query("GET /clients?id=gt.3&limit=1\nPrefer: count=planned");
    insta::assert_snapshot!(render(&planned.explain.unwrap()), @r#"
    EXPLAIN (FORMAT JSON) SELECT 1  FROM "test"."clients" WHERE "test"."clients"."id" > $1
      $1 Unknown: 3
    "#);
    assert!(query("GET /clients\nPrefer: count=exact").explain.is_none());
}

#[test]
fn estimated_counts_stop_beyond_max_rows() {
    let mut conf = conf();
    conf.db_max_rows = Some(5);
    let main = query_with(&conf, "GET /clients?limit=10\nPrefer: count=estimated").aggregated().unwrap();
    insta::assert_snapshot!(render(&main));
}

#[test]
fn root_document() {
    let openapi = query("GET /").openapi.unwrap();
    for (statement, binds) in [(&openapi.tables, 1), (&openapi.functions, 1), (&openapi.schema_comment, 1)] {
        assert_eq!(statement.params.len(), binds);
        assert!(statement.text().contains(&format!("${binds}")), "{}", statement.text());
    }
}

#[test]
fn options_need_no_database() {
    let query = query("OPTIONS /clients");
    assert!(query.aggregated().is_none() && query.tx_vars.text().is_empty());
}

#[test]
fn no_function_gets_more_than_100_arguments() {
    let columns: Vec<String> = (0..60).map(|index| format!("c{index}")).collect();
    let request = format!("POST /wide?columns={}\nPrefer: missing=default\n\n[{{}}]", columns.join(","));
    let main = query(&request).aggregated().unwrap();
    let calls: Vec<usize> = main
        .text()
        .split("jsonb_build_object(")
        .skip(1)
        .map(|call| call.split(')').next().unwrap().split(", ").count())
        .collect();
    assert_eq!(calls, [100, 20]);
}

#[test]
fn aliases_of_long_names_stay_distinct() {
    assert_eq!(LONG.len(), 63);
    let select = format!("GET /{LONG}?select=a:{LONG}(id),b:{LONG}(id,c:{LONG}(id))");
    let main = query(&select).aggregated().unwrap();
    let mut aliases: Vec<&str> = main
        .text()
        .split("AS \"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .filter(|alias| alias.starts_with("a_name"))
        .collect();
    assert!(aliases.iter().all(|alias| alias.len() <= 63), "{aliases:?}");
    aliases.sort_unstable();
    aliases.dedup();
    // A source per level below the top and a joined subquery per embed.
    assert_eq!(aliases.len(), 2 + 3, "{aliases:?}");
}
