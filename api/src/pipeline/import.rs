//! Bodies that are read, checked and written as they come: NDJSON and CSV for a relation.
//!
//! A body that is there soon is answered like the JSON array of its rows. Of a longer one, batches are written in one
//! transaction while it still comes, each by the statement that the array would be written by. Where the database
//! refuses a batch, halves of it are tried until the row is found that is to blame, and the error names its line.

use std::io;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{TryStreamExt as _, stream};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method};
use hyper::body::{Body, Frame};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::io::StreamReader;

use super::body::{self, Incoming, LINGER, Reading, SMALL};
use crate::api_request::ApiRequest;
use crate::api_request::records::{AtLine, Batch, Format, Records};
use crate::api_request::types::{Action, DbAction, Mutation};
use crate::bodies::Share;
use crate::client::Disconnect;
use crate::coding::{Coding, decoder};
use crate::config::AppConfig;
use crate::error::{ApiRequestError, DbError, Error};
use crate::execute::Pool;
use crate::execute::import::Import;
use crate::script::request::Job;
use crate::script::result::{DbResult, ResultSet};
use crate::sql::types::MainQuery;

/// A body up to this is written as a whole.
const FIRST: usize = 256 * 1024;
/// Of a longer one so much is written at a time.
const BATCH: usize = 512 * 1024;
/// What is read at a time.
const STEP: usize = 64 * 1024;

/// How the body of an import is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    format: Format,
    /// All of it has to be there first, since the rows are wanted back as one answer.
    held: bool,
}

impl Kind {
    /// That of a request; none where it is no import.
    pub(super) fn of(conf: &AppConfig, parts: &Parts) -> Result<Option<Self>, ApiRequestError> {
        if parts.method != Method::POST {
            return Ok(None);
        }
        let Some(format) = ApiRequest::record_format(conf, parts)? else { return Ok(None) };
        let action = ApiRequest::action(conf, parts)?;
        let creates = matches!(action, Action::Db(DbAction::RelationMutation(_, Mutation::Create)));
        Ok(creates.then(|| Self { format, held: wants_rows(&parts.headers) }))
    }

    /// The body as which what is there of it is planned.
    pub(super) fn body(self, batch: &Batch, whole: Option<&Bytes>) -> Bytes {
        match (self.format, whole) {
            (Format::Csv(_), Some(whole)) => whole.clone(),
            _ => batch.raw(0..batch.len()),
        }
    }

    /// The request as which it is planned: that of the JSON array.
    pub(super) fn planned_as(self, parts: &Parts) -> Option<Parts> {
        matches!(self.format, Format::Lines { .. }).then(|| {
            let mut parts = parts.clone();
            let json = HeaderValue::from_static("application/json");
            parts.headers.insert(CONTENT_TYPE, json);
            parts
        })
    }
}

fn wants_rows(headers: &HeaderMap) -> bool {
    let values = headers.get_all(HeaderName::from_static("prefer")).iter();
    let mut preferences = values.filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(','));
    preferences.any(|it| it.trim() == "return=representation")
}

/// The beginning of a body, or all of it.
pub(super) struct First {
    pub(super) batch: Batch,
    pub(super) share: Share,
    /// The body as it came, if that is all of it.
    pub(super) whole: Option<Bytes>,
    pub(super) rest: Option<Rest>,
}

/// What is still to come.
pub(super) struct Rest {
    source: Source,
    records: Records,
    /// Most bytes of a record; 0 for no limit.
    limit: u64,
}

/// Where a body comes from, decoded.
struct Source {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    coding: Option<Coding>,
}

impl Source {
    fn of<B>(body: B, coding: Option<Coding>) -> Self
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut body = Box::pin(body);
        let frames = stream::poll_fn(move |cx| {
            let frame = ready!(body.as_mut().poll_frame(cx));
            Poll::Ready(frame.map(|frame| match frame.map(Frame::into_data) {
                Ok(Ok(mut data)) => Ok(data.copy_to_bytes(data.remaining())),
                Ok(Err(_)) => Ok(Bytes::new()),
                Err(error) => Err(io::Error::other(error.into())),
            }))
        });
        // An empty piece would count as the end.
        let frames = Box::pin(frames.try_filter(|it| std::future::ready(!it.is_empty())));
        let reader: Box<dyn AsyncRead + Send + Unpin> = match coding {
            Some(coding) => decoder(coding, frames),
            None => Box::new(StreamReader::new(frames)),
        };
        Self { reader, coding }
    }

    /// The next piece; nothing at the end.
    async fn read(&mut self) -> Result<BytesMut, ApiRequestError> {
        let mut piece = BytesMut::with_capacity(STEP);
        let read = self.reader.read_buf(&mut piece).await;
        read.map_err(|error| body::undecoded(self.coding, error))?;
        tokio::task::consume_budget().await;
        Ok(piece)
    }

    /// Takes the rest for a while, and drops it: who sends first and listens then would find the connection reset.
    fn drain(mut self) {
        tokio::spawn(tokio::time::timeout(LINGER, async move {
            while self.read().await.is_ok_and(|it| !it.is_empty()) {}
        }));
    }
}

/// An error that names the line of the body.
fn at_line(error: ApiRequestError, line: u64) -> ApiRequestError {
    match error {
        ApiRequestError::InvalidBody(message) => {
            ApiRequestError::InvalidBody(format!("{message} (line {line} of the body)"))
        }
        other => other,
    }
}

fn named(AtLine(error, line): AtLine) -> Error {
    at_line(error, line).into()
}

/// Reads a body up to its end, or so far that it has to be written as it comes.
pub(super) async fn first<B, F>(
    incoming: &mut Incoming<B>,
    kind: Kind,
    reading: Reading<'_>,
    check: impl FnOnce() -> F,
) -> Result<First, Error>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    F: Future<Output = Result<(), Error>>,
{
    let mut records = Records::new(kind.format);
    let mut source = match std::mem::replace(incoming, Incoming::Gone) {
        Incoming::Unread(body) => Source::of(body, reading.coding),
        Incoming::Read(whole, share) => {
            records.push(&whole);
            let batch = records.take(true).map_err(named)?;
            return Ok(First { batch, share, whole: Some(whole), rest: None });
        }
        Incoming::Gone => Source::of(String::new(), None),
    };
    let outcome = begin(&mut source, &mut records, kind, reading, check).await;
    match outcome {
        Ok((batch, share, Some(whole))) => Ok(First { batch, share, whole: Some(whole), rest: None }),
        Ok((batch, share, None)) => {
            let rest = Rest { source, records, limit: reading.limit };
            Ok(First { batch, share, whole: None, rest: Some(rest) })
        }
        Err(error) => {
            if !reading.awaited {
                source.drain();
            }
            Err(error)
        }
    }
}

async fn begin<F: Future<Output = Result<(), Error>>>(
    source: &mut Source,
    records: &mut Records,
    kind: Kind,
    reading: Reading<'_>,
    check: impl FnOnce() -> F,
) -> Result<(Batch, Share, Option<Bytes>), Error> {
    let limit = reading.bodies.most_of_one(reading.limit);
    let (mut raw, mut share, mut check) = (BytesMut::new(), Share::default(), Some(check));
    loop {
        let piece = source.read().await?;
        if piece.is_empty() {
            let batch = match records.take(true) {
                // PostgREST's words, to the letter, for what it could have answered.
                Err(AtLine(error, _))
                    if matches!(kind.format, Format::Csv(_)) && (raw.len() as u64) < SMALL =>
                {
                    return Err(error.into());
                }
                taken => taken.map_err(named)?,
            };
            return Ok((batch, share, Some(raw.freeze())));
        }
        raw.extend_from_slice(&piece);
        records.push(&piece);
        if raw.len() as u64 > SMALL {
            if let Some(check) = check.take() {
                check().await?;
            }
            share.grow(reading.bodies, raw.len() as u64).await?;
        }
        if kind.held {
            if limit != 0 && raw.len() as u64 > limit {
                return Err(ApiRequestError::BodyTooLarge(limit).into());
            }
        } else if records.n_ready() >= FIRST {
            return Ok((records.take(false).map_err(named)?, share, None));
        } else if limit != 0 && records.n_open() as u64 > limit {
            return Err(ApiRequestError::BodyTooLarge(limit).into());
        }
    }
}

impl Rest {
    /// Takes what is still to come, for a while, and drops it.
    pub(super) fn drain(self) {
        self.source.drain();
    }

    /// The next batch; none at the end.
    async fn next(&mut self) -> Result<Option<Batch>, Error> {
        loop {
            let piece = self.source.read().await?;
            if piece.is_empty() {
                let batch = self.records.take(true).map_err(named)?;
                return Ok((batch.len() > 0).then_some(batch));
            }
            self.records.push(&piece);
            if self.limit != 0 && self.records.n_open() as u64 > self.limit {
                return Err(ApiRequestError::BodyTooLarge(self.limit).into());
            }
            if self.records.n_ready() >= BATCH {
                return Ok(Some(self.records.take(false).map_err(named)?));
            }
        }
    }
}

/// Writes a body as it comes.
pub(super) async fn write(
    pool: &Pool,
    disconnect: &Disconnect,
    query: &Arc<MainQuery>,
    job: &Job<'_>,
    first: Batch,
    mut rest: Rest,
) -> Result<DbResult, Error> {
    let begun = Import::begin(pool, disconnect, job.script(), job.main()).await;
    let mut import = begun.map_err(|it| job.error(it))?;
    let written = all(&mut import, query, job, first, &mut rest).await;
    rest.source.drain();
    match written {
        Ok(set) => {
            import.end(job.script().end).await.map_err(|it| job.error(it))?;
            Ok(DbResult::Crud(set))
        }
        Err(error) => {
            import.undo().await;
            Err(error)
        }
    }
}

async fn all(
    import: &mut Import,
    query: &Arc<MainQuery>,
    job: &Job<'_>,
    first: Batch,
    rest: &mut Rest,
) -> Result<ResultSet, Error> {
    let mut sum = batch(import, query, job, &first).await?;
    drop(first);
    while let Some(next) = rest.next().await? {
        let set = batch(import, query, job, &next).await?;
        sum = ResultSet {
            query_total: sum.query_total + set.query_total,
            inserted: sum.inserted.zip(set.inserted).map(|(a, b)| a + b),
            // Of one row alone there is a place to tell.
            location: Vec::new(),
            ..set
        };
    }
    Ok(sum)
}

/// Writes a batch, all of it or up to the row that fails.
async fn batch(
    import: &mut Import,
    query: &Arc<MainQuery>,
    job: &Job<'_>,
    batch: &Batch,
) -> Result<ResultSet, Error> {
    let (mut good, mut bad) = (0, batch.len());
    let mut error = match run(import, query, job, batch, 0..bad).await {
        Err(Error::Db(error)) if is_about_a_row(&error) => error,
        outcome => return outcome,
    };
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match run(import, query, job, batch, good..middle).await {
            Ok(_) => good = middle,
            Err(Error::Db(it)) if is_about_a_row(&it) => (bad, error) = (middle, it),
            Err(error) => return Err(error),
        }
    }
    Err(error.at_line(batch.line(good)).into())
}

async fn run(
    import: &mut Import,
    query: &Arc<MainQuery>,
    job: &Job<'_>,
    batch: &Batch,
    range: std::ops::Range<usize>,
) -> Result<ResultSet, Error> {
    let statement = query
        .with_body(batch.json(range)?)
        .ok_or_else(|| DbError::UnexpectedResult("an import without a statement".into()))?;
    let rows = import.run(&statement).await.map_err(|it| job.error(it))?;
    job.batch(&rows)
}

/// The line that made a body fail which was written as a whole, where it can be found: the same is tried again row by
/// row, and undone.
pub(super) async fn located(
    error: DbError,
    pool: &Pool,
    query: &Arc<MainQuery>,
    job: &Job<'_>,
    whole: &Batch,
) -> DbError {
    if !is_about_a_row(&error) || whole.len() == 0 {
        return error;
    }
    let begun = Import::begin(pool, &Disconnect::default(), job.script(), job.main()).await;
    let Ok(mut import) = begun else { return error };
    let tried = batch(&mut import, query, job, whole).await;
    import.undo().await;
    match tried {
        Err(Error::Db(found)) if found.has_code_of(&error) => found,
        _ => error,
    }
}

/// An error that one row may be to blame for; others are not looked for in the body.
fn is_about_a_row(error: &DbError) -> bool {
    let DbError::Server { code, .. } = error else { return false };
    matches!(code.get(..2), Some("22" | "23" | "42" | "44" | "P0" | "09" | "27"))
}
