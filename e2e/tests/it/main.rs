//! End-to-end tests: one module per story.

mod docs;
mod joined_databases;
mod python_client;
