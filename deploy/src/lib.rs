//! Deploys the CloudFormation stacks of this workspace: plans, shows, executes, follows, explains.
//!
//! ```text
//! Spec (template + values) ─┐
//! Graph (exports, imports) ─┼─▶ Engine ──calls──▶ Cloud      (aws.rs, or a scripted fake)
//! Settings (flags)         ─┘     │ ──asks───▶ User       (terminal, --yes, or a script)
//!                                 └──tells──▶ Sink       (live terminal, plain lines, JSON lines)
//! ```
//!
//! Invariants: the engine prints nothing and reads no environment; every status of a stack has an entry in [`status`]; what
//! was interrupted — by a signal, a lost network, expired credentials — is continued by the next run, because each run starts
//! from what CloudFormation says and not from what an earlier run remembered.

pub mod catalog;
pub mod chart;
pub mod cloud;
pub mod console;
pub mod engine;
pub mod event;
pub mod failure;
pub mod inputs;
pub mod loss;
pub mod preflight;
pub mod render;
pub mod schedule;
pub mod status;
pub mod user;

pub use engine::{Engine, Outcome, Pin, Prepared, Settings, Spec, Wanted};
