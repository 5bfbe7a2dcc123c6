//! Sets up the databases of a deployment; the README has the rules for a step.
#![doc = include_str!("../README.md")]

pub mod bundle;
pub mod database;
pub mod error;
pub mod event;
pub mod fdw;
pub mod lock;
pub mod quote;
pub mod secret;
pub mod target;
pub mod template;
pub mod vars;

mod confidential;
mod ledger;
mod runner;

pub use bundle::{Bundle, Step};
pub use error::{Error, ServerError};
pub use event::{Outcome, Report, StepEvent, StepReport};
pub use quote::Ident;
pub use runner::{apply, apply_bundle, plan, verify};
pub use secret::Secret;
pub use target::Target;
pub use vars::Vars;
