//! End-to-end tests: one module per story.

mod docs;
mod joined_databases;
mod pages;
mod python_client;
mod story;
