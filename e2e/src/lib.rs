//! What end-to-end tests share: the built server as a process, servers in containers, the Python client.
//!
//! Cases live in `tests/it/`, one module per story. They see a [`local_stack::testing::TestCluster`] and do not know
//! whether it runs natively or in a container.

pub mod api_server;
pub mod backends;
pub mod container;
pub mod programs;
pub mod python;
