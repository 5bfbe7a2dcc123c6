//! Imports follow the origin.
