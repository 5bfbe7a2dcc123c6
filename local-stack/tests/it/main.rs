//! The local stack against real servers.

mod testing;
