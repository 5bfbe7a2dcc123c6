//! Starts sessions of a role that asks for an MFA code, and sets that up without the console. [`aws_session::cache`] keeps them.

pub mod assume;
pub mod setup;
