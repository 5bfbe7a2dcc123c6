//! The animals app as a service of the stack: where its table is, who it logs in as, what it is started with.
//!
//! Invariant: names are those that the serverless deployment has by default, so that SQL written for one fits the
//! other. The database is a separate one on the origin's server: neither the import nor the REST server meets it.

use crate::config::StackConfig;
use crate::probe;
use crate::state::Secrets;

pub use crate::config::ANIMALS_PORT as DEFAULT_PORT;

/// The app's database, on the server of the origin.
pub const DATABASE: &str = "animals";

/// The login of the app: it may read and write rows, nothing else.
pub const USER: &str = "lambda_iam";

/// The one collection that there is; it is answered from the table, so the answer tells about all of the way.
const PATH: &str = "/animals";

/// What the app is started with natively; the compose file says the same. A password, since no local server accepts
/// IAM tokens.
pub(crate) fn environment(secrets: &Secrets, origin_port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("DB_HOST", "127.0.0.1".to_owned()),
        ("DB_PORT", origin_port.to_string()),
        ("DB_NAME", DATABASE.to_owned()),
        ("DB_USERNAME", USER.to_owned()),
        ("DB_AUTH", "password".to_owned()),
        ("DB_PASSWORD", secrets.animals_password.clone()),
        ("DB_SSLMODE", "disable".to_owned()),
    ]
}

/// Whether the app lists its animals.
pub(crate) async fn ask(config: &StackConfig) -> Result<(), String> {
    match config.animals_port {
        Some(port) => probe::http_body(port, PATH).await.map(drop),
        None => Err("it is no part of the stack".to_owned()),
    }
}

/// Where the app answers.
pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}{PATH}")
}
