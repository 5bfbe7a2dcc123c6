#![doc = include_str!("../README.md")]

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
