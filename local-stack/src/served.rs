//! Waits until the REST server serves what an import changed.
//!
//! A command that returns before it does would make the user's next request fail for no reason that the user can see.
//! The server itself waits, before it says that a name is unknown, until it knows whatever was committed before it was
//! asked. So a question for a name that cannot be there is answered when everything else is.

use crate::probe;

/// No import makes a table of this name: it is longer than names in Postgres are.
const NOWHERE: &str = "/pgapp_no_such_relation_since_its_name_is_longer_than_names_of_postgres_may_be";

/// Returns when the server knows what was committed before this call; else with what it said instead.
pub(crate) async fn catch_up(port: u16) -> Result<(), String> {
    let (status, _) = probe::get(port, NOWHERE).await?;
    // Where every request needs a token, nothing is looked up.
    match status.is_client_error() {
        true => Ok(()),
        false => Err(format!("it answers {status}")),
    }
}
