#![doc = include_str!("../README.md")]

pub mod access;
pub mod application;
pub mod authorities;
pub mod bootstrap;
pub mod error;
pub mod login;
pub mod outputs;
pub mod place;
pub mod secret;
pub mod token;
pub mod trust;

pub use error::{RemoteError, RemoteResult};
pub use place::BUNDLE_URL;
