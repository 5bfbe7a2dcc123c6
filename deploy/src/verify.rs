//! Tries a deployment as its users do, and tries what nobody may.
//!
//! ```text
//! status, stack outputs, terraform output ──▶ Subject ─┐
//!                                                      ├─▶ run ──▶ Report ──▶ text or JSON
//! rest::CHECKS, animals::CHECKS, network::CHECKS … ────┘    └── undoes what it did, however it ended
//! ```
//!
//! A check is data: a name, what it shows, and how. Checks run one after the other in the order of their list, because a
//! user's story has an order: what is read was created before.
//!
//! Invariants: every check can fail, and a test shows for each of them the server that makes it fail; nothing that was there
//! before is changed; no token, password or key is part of a report.

pub mod animals;
pub mod aws;
pub mod bucket;
pub mod check;
pub mod database;
pub mod http;
pub mod network;
pub mod report;
pub mod rest;
pub mod run;
pub mod subject;
pub mod tls;
pub mod token;

pub use check::{Check, Context, Outcome};
pub use report::Report;
pub use run::run;
pub use subject::{Subject, Target};
