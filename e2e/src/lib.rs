#![doc = include_str!("../README.md")]

pub mod api_server;
pub mod backends;
pub mod container;
pub mod programs;
pub mod python;
