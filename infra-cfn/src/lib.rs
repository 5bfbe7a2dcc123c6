//! The CloudFormation templates of this workspace and what a program needs to know about them.
//!
//! ```text
//! templates/NAME.yaml ──yaml──▶ Node tree ──template──▶ Template ──graph──▶ waves of stacks
//!                                                        │
//!                                                        ├─capabilities─▶ what CreateStack must acknowledge
//!                                                        ├─params───────▶ checked parameter files, generated passwords
//!                                                        ├─resolve──────▶ JSON with parameter values filled in
//!                                                        ├─write────────▶ what is sent to CloudFormation, without comments
//!                                                        ├─facts────────▶ what AWS says of the types in use
//!                                                        ├─variants─────▶ the ways in which it may be used
//!                                                        └─contract─────▶ findings with stable codes
//! ```
//!
//! Invariant: nothing in here talks to AWS, reads a clock or starts a process. The deploy engine does that, and asks this
//! crate for every fact about a template, so that each fact can be tested without an account.
//!
//! Every node keeps its line, because an error of CloudFormation names a logical id and a reader wants a place in a file.

pub mod capabilities;
pub mod catalog;
pub mod contract;
pub mod extract;
pub mod facts;
pub mod graph;
pub mod intrinsic;
pub mod params;
pub mod password;
#[cfg(test)]
mod reference;
pub mod resolve;
pub mod template;
pub mod update;
pub mod variants;
pub mod write;
pub mod yaml;

pub use catalog::Stack;
pub use template::{Template, TemplateError};
