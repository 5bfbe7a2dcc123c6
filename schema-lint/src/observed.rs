//! What was seen while migrations ran: the values between the database and the rules. Plain data.

use std::collections::HashSet;

use crate::leaks::Leak;
use crate::locks::Seen;

/// The leaks at one moment.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Index of the migration and of the statement after which it was; `None` before the first.
    pub after: Option<(usize, usize)>,
    /// What leaked.
    pub leaks: Vec<Leak>,
}

/// What was seen of all migrations.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// For each migration, for each statement.
    pub seen: Vec<Vec<Seen>>,
    /// In the order of time.
    pub moments: Vec<Moment>,
    /// Names (`schema.name`) of the routines that PUBLIC may run in the end.
    pub public_routines: HashSet<String>,
}
