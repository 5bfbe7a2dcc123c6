#![doc = include_str!("../README.md")]

pub mod stacks;
pub mod terraform;

pub use stacks::{Stack, Stacks};
pub use terraform::{Environment, TerraformError};
