#![doc = include_str!("../README.md")]

pub mod cache;
pub mod config;
pub mod error;
pub mod files;
pub mod profile;
pub mod program;
pub mod tls;

pub use config::{Choice, sdk_config, sdk_config_for};
pub use error::{CloudError, CloudResult};
