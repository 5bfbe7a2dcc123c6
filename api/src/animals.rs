//! The animals app: a small JSON API over one table, behind API Gateway or on its own port.
//!
//! Pure: [`request`] reads HTTP into a [`request::Command`], [`answer`] renders an [`answer::Outcome`]. Who runs the
//! command on a connection in between is the program's matter.
//! Numbers are exact decimals from the request's text to the column; nothing passes through a float.

pub mod animal;
pub mod answer;
pub mod decimal;
pub mod request;
