//! The animals app: a small JSON API over one table, behind API Gateway or on its own port.
//!
//! Flow, as in the large server: [`request`] reads HTTP into a [`request::Command`] (pure), [`store`] runs it
//! (the only user of a connection), [`answer`] renders what came of it (pure).
//! Numbers are exact decimals from the request's text to the column; nothing passes through a float.

pub mod animal;
pub mod answer;
pub mod decimal;
pub mod request;
