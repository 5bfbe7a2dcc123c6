//! The animals app: a small JSON API over one table, behind API Gateway or on its own port.
//!
//! [`request`] reads HTTP into a [`request::Command`] and [`answer`] renders an [`answer::Outcome`], both pure.
//! [`store`] runs the command in between. [`App`] is the three in a row; [`crate::lambda`] and [`serve`] are the two
//! ways in: the events of a Lambda function, and a port.
//! Numbers are exact decimals from the request's text to the column; nothing passes through a float.

pub mod animal;
pub mod answer;
pub mod decimal;
pub mod log;
pub mod request;
pub mod serve;
pub mod settings;
pub mod store;

use http::Method;
use tokio::time::Instant;

use answer::Answer;
use settings::Settings;
use store::Store;

/// The app with its database.
pub struct App {
    store: Store,
}

impl App {
    /// Connects at the first command, not here.
    pub fn new(settings: &Settings) -> Self {
        Self { store: Store::new(settings.connector()) }
    }

    /// The same with a store of the caller's.
    pub fn with_store(store: Store) -> Self {
        Self { store }
    }

    /// Answers a request before `deadline`, whatever is in it and however the database fares.
    pub async fn answer(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        body: &[u8],
        deadline: Instant,
    ) -> Answer {
        match request::read(method, path, query, body) {
            Ok(command) => self.store.run(&command, deadline).await.into(),
            Err(refusal) => refusal.into(),
        }
    }
}
