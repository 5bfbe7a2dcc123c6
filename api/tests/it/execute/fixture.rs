//! Requests of one statement, as the rooms before `execute` would hand them over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::api_request::ApiRequest;
use api::api_request::types::{Action, InvokeMethod, Mutation, Preferences, QueryParams, Range};
use api::auth::AuthResult;
use api::config::AppConfig;
use api::error::{DbError, Error};
use api::execute::Pool;
use api::media_type::MediaType;
use api::plan::types::{CallArgs, CallParams, CallPlan, MutatePlan, ReadPlan, ReadPlanTree};
use api::plan::{ActionPlan, CrudKind, CrudPlan, TxMode};
use api::schema_cache::SchemaCache;
use api::schema_cache::identifiers::QualifiedIdentifier;
use api::schema_cache::routine::{MediaHandler, PgType, RetType, Routine, Volatility};
use api::script::result::{DbResult, ResultSet};
use api::sql::types::{MainQuery, Param, ParamType, Statement};

/// A request under construction.
pub(crate) struct Request {
    pub(crate) role: String,
    pub(crate) query: MainQuery,
    pub(crate) plan: CrudPlan,
    pub(crate) req: ApiRequest,
}

pub(crate) fn text(value: impl Into<String>) -> Param {
    Param { value: Some(value.into().into()), ty: ParamType::Text }
}

/// Static text, which is what a statement takes.
pub(crate) fn statement(text: impl Into<String>, params: Vec<Param>) -> Statement {
    Statement::fixed(text.into().leak(), params)
}

/// Another text for the same binds.
pub(crate) fn rewrite(it: &mut Statement, text: impl FnOnce(&str) -> String) {
    *it = statement(text(it.text()), std::mem::take(&mut it.params));
}

/// The role and, as claims, a mark to recognise the request by.
pub(crate) fn tx_vars(role: &str, mark: &str) -> Statement {
    statement(
        "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
        vec![text(role), text(mark)],
    )
}

/// A body as the main statement's answer.
fn answer(mutation: bool, n_rows: &str, body: &str, from: &str) -> String {
    let location = if mutation { "array[]::text[], " } else { "" };
    format!("SELECT null::int8, {n_rows}, {location}{body}, null::text, null::text, null::int8 {from}")
}

impl Request {
    fn new(kind: CrudKind, tx_mode: TxMode, main: Statement) -> Self {
        let qi = QualifiedIdentifier::new("public", "anything");
        Self {
            role: "postgres".into(),
            query: MainQuery { tx_vars: tx_vars("postgres", ""), main: Some(main), ..MainQuery::default() },
            plan: CrudPlan {
                qi: qi.clone(),
                kind,
                // Nothing looks at it: the statement is written already.
                read: ReadPlanTree { node: ReadPlan::new(qi, 0), children: Vec::new() },
                tx_mode,
                handler: MediaHandler::BuiltinOvAggJson,
                media: MediaType::ApplicationJson,
            },
            req: ApiRequest {
                action: Action::SchemaInfo,
                ranges: Vec::new(),
                top_level_range: Range::ALL,
                payload: None,
                preferences: Preferences::default(),
                query: QueryParams::default(),
                columns: Default::default(),
                headers: Vec::new(),
                cookies: Vec::new(),
                path: "/anything".into(),
                method: http::Method::GET,
                schema: "public".into(),
                negotiated_by_profile: false,
                accept: Vec::new(),
                content_type: MediaType::ApplicationJson,
            },
        }
    }

    /// Reads: the value of `expression` becomes the body.
    pub(crate) fn read(expression: &str) -> Self {
        let main = statement(answer(false, "1::int8", &format!("({expression})"), ""), Vec::new());
        Self::new(CrudKind::Read { headers_only: false }, TxMode::Read, main)
    }

    /// Reads with the caller's statement.
    pub(crate) fn read_statement(main: Statement) -> Self {
        Self::new(CrudKind::Read { headers_only: false }, TxMode::Read, main)
    }

    /// Writes: `dml` returns rows, whose number counts.
    pub(crate) fn write(mutation: Mutation, dml: &str) -> Self {
        let sql = format!("WITH it AS ({dml}) {}", answer(true, "count(*)", "json_agg(it)::text", "FROM it"));
        let plan = MutatePlan::Delete {
            from: QualifiedIdentifier::default(),
            conditions: Vec::new(),
            returning: Vec::new(),
        };
        let kind = CrudKind::Mutate { mutation, plan, pk_cols: Vec::new() };
        Self::new(kind, TxMode::Write, statement(sql, Vec::new()))
    }

    /// Calls: `expression` runs in a transaction that may write.
    pub(crate) fn call(expression: &str, n_rows: &str) -> Self {
        let routine = Routine {
            schema: "public".into(),
            name: "f".into(),
            description: None,
            params: Vec::new(),
            return_type: RetType::SetOf(PgType::Scalar(QualifiedIdentifier::new("pg_catalog", "text"))),
            volatility: Volatility::Volatile,
            has_variadic: false,
            isolation: None,
            settings: Vec::new(),
        };
        let plan = CallPlan {
            definition: Vec::new(),
            empty_is_null: false,
            row_type: None,
            function: QualifiedIdentifier::default(),
            params: CallParams::Named(Vec::new()),
            args: CallArgs::Body(None),
            scalar: true,
            set_of_scalar: true,
            returning: Default::default(),
        };
        let kind = CrudKind::Call { routine, plan, method: InvokeMethod::Inv };
        let main = statement(answer(false, n_rows, expression, ""), Vec::new());
        Self::new(kind, TxMode::Write, main)
    }

    pub(crate) fn role(mut self, role: &str, mark: &str) -> Self {
        self.role = role.into();
        self.query.tx_vars = tx_vars(role, mark);
        self
    }

    pub(crate) fn media(mut self, media: MediaType) -> Self {
        self.plan.media = media;
        self
    }

    pub(crate) fn prefer(mut self, set: impl FnOnce(&mut Preferences)) -> Self {
        set(&mut self.req.preferences);
        self
    }

    pub(crate) async fn run(mut self, pool: &Pool, conf: &AppConfig) -> Result<DbResult, Error> {
        if self.plan.tx_mode == TxMode::Read {
            let read_only = "select set_config('transaction_read_only', 'on', true), ";
            rewrite(&mut self.query.tx_vars, |it| it.replacen("select ", read_only, 1));
        }
        let auth = AuthResult { role: self.role, claims: Default::default() };
        let plan = ActionPlan::Crud(Box::new(self.plan));
        api::pipeline::database::run(
            pool,
            &Arc::new(self.query),
            &plan,
            &self.req,
            &auth,
            conf,
            &SchemaCache::default(),
        )
        .await
    }

    pub(crate) async fn result(self, pool: &Pool, conf: &AppConfig) -> Result<ResultSet, Error> {
        match self.run(pool, conf).await? {
            DbResult::Crud(set) => Ok(set),
            other => panic!("not data: {other:?}"),
        }
    }

    pub(crate) async fn body(self, pool: &Pool, conf: &AppConfig) -> String {
        let set = self.result(pool, conf).await.unwrap();
        String::from_utf8(set.body.to_vec()).unwrap()
    }
}

/// The database's error behind a failed request.
#[track_caller]
pub(crate) fn db_error<T: std::fmt::Debug>(result: Result<T, Error>) -> DbError {
    match result {
        Err(Error::Db(error)) => error,
        other => panic!("expected an error of the database, got {other:?}"),
    }
}

/// SQLSTATE of a failed request.
#[track_caller]
pub(crate) fn sqlstate<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match db_error(result) {
        DbError::Server { code, .. } => code,
        other => panic!("expected an error of the server, got {other:?}"),
    }
}

/// Waits until a condition holds.
pub(crate) async fn eventually<F: AsyncFnMut() -> bool>(what: &str, mut condition: F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
