//! JSON Web Tokens: what they are signed with and what they say. Pure.
//!
//! [`token`] checks signatures against the [`keys`] of `jwt-secret`, [`claims`] checks what a token says,
//! [`role_claim`] finds the role in it. Nothing here may panic on any token.

pub mod claims;
mod json_path;
pub mod keys;
mod legacy_path;
pub mod role_claim;
pub mod token;
