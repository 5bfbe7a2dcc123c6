#![doc = include_str!("../README.md")]

pub mod account;
pub mod animals;
pub mod cluster;
pub mod config;
pub mod database;
pub mod error;
pub mod event;
pub mod image;
pub mod install;
pub mod pgbin;
pub mod ports;
pub mod probe;
pub mod process;
pub mod scratch;
pub mod service;
pub mod stack;
pub mod state;
pub mod testing;
pub mod token;

mod app;
mod bootstrap;
mod conf;
mod docker;
mod download;
mod driver;
mod log_window;
mod logs;
mod native;
mod served;

pub use config::{Anonymous, Backend, BackendKind, LogLevel, StackConfig, StackName};
pub use database::{Connection, Database};
pub use docker::Engine;
pub use error::Error;
pub use event::{Event, EventSink};
pub use log_window::{InvalidSince, LogWindow, parse_since};
pub use logs::LogLine;
pub use native::SET_BY_STACK;
pub use scratch::{Scratch, Seed};
pub use service::{ServiceName, ServiceState};
pub use stack::{ApiLauncher, AppliedFile, ServiceStatus, Stack, Status, TargetStatus, Volumes};
