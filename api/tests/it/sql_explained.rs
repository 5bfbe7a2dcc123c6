//! The statements that `sql.rs` keeps as snapshots, planned by a real Postgres.

use api::sql::types::{Param, ParamType};
use bytes::{BufMut as _, BytesMut};
use local_stack::testing::TestCluster;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::fixture::query;
use crate::sql::SNAPSHOTS;

/// A bind as the request path sends it: in text form.
#[derive(Debug)]
struct Bind(Param);

impl ToSql for Bind {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let Some(value) = &self.0.value else { return Ok(IsNull::Yes) };
        match self.0.ty {
            ParamType::Bytea => {
                out.put_slice(b"\\x");
                value.iter().for_each(|byte| out.put_slice(format!("{byte:02x}").as_bytes()));
            }
            ParamType::Unknown | ParamType::Text | ParamType::Json => out.put_slice(value),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

fn declared(param: &Param) -> Type {
    match param.ty {
        ParamType::Unknown => Type::UNKNOWN,
        ParamType::Text => Type::TEXT,
        ParamType::Json => Type::JSON,
        ParamType::Bytea => Type::BYTEA,
    }
}

/// Cases that Postgres refuses whoever writes their statement, for what they ask of their columns: values that
/// are none of the type, a column that is missing, operators and an order that the type lacks.
const REFUSED: &[(&str, &str)] = &[
    ("GET /clients?id=in.(1,2,\"a,b\",\"q\\\"\")&id=in.()", "22P02"),
    ("GET /documents?color=eq.red&color=in.(red,blue)&data->a->>b=eq.1&datab->0=gt.2&tags->0=eq.1", "22P02"),
    ("GET /documents?words=fts(english).cat&data->>a=plfts.dog&tags=cs.{a}&name=wfts.x", "42703"),
    (
        "GET /clients?or=(id.eq.1,and(name.eq.a,not.or(id.lt.3,id.gt.5)))&not.and=(id.neq.2,name.cd.{x})",
        "42725",
    ),
    ("GET /clients?id=sl.[1,2]&id=sr.x&id=nxr.x&id=nxl.x&id=adj.x&id=ov.x", "42804"),
    ("GET /documents?order=data->a.asc,tags->0.nullsfirst", "42883"),
    ("GET /documents?select=data->a,count()", "42883"),
];

#[tokio::test]
async fn every_snapshot_can_be_explained() {
    let db = TestCluster::shared().await.unwrap().create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    client.batch_execute(include_str!("fixtures/cache.sql")).await.unwrap();
    client.batch_execute("SET search_path = test, public").await.unwrap();
    let mut failures = Vec::new();
    for request in SNAPSHOTS {
        let query = query(request);
        for statement in query.main.iter().chain(&query.explain) {
            // A case may ask for a plan itself.
            let text = match statement.text().starts_with("EXPLAIN ") {
                true => statement.text().to_owned(),
                false => format!("EXPLAIN {}", statement.text()),
            };
            let binds: Vec<_> = statement.params.iter().map(|it| (Bind(it.clone()), declared(it))).collect();
            let binds: Vec<_> =
                binds.iter().map(|(bind, ty)| (bind as &(dyn ToSql + Sync), ty.clone())).collect();
            let code = match client.query_typed(&text, &binds).await {
                Ok(plan) => {
                    assert!(!plan.is_empty(), "{request}");
                    None
                }
                Err(error) => Some(error.code().unwrap().code().to_owned()),
            };
            let expected = REFUSED.iter().find(|(it, _)| it == request).map(|(_, code)| (*code).to_owned());
            if code != expected {
                failures.push(format!("{request}\n{}\n{code:?}", statement.text()));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
