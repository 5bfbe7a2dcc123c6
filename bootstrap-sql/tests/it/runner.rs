//! The runner's promises, whatever the steps.
