//! Waits until the REST server serves what an import changed.
//!
//! The database tells the server of every change, and the server reads its catalog again on its own time. A command
//! that returns before it has done so would make the user's next request fail for no reason that the user can see.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bootstrap_sql::fdw::ImportReport;
use serde_json::Value;

use crate::probe;

/// A catalog of thousands of tables is read well within this.
const LIMIT: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(20);

/// Tables with their columns, as the server described them at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described(Value);

/// What the server describes now; `None` when it does not answer with a description.
pub(crate) async fn describe(port: u16) -> Option<Described> {
    let body = probe::http_body(port, "/").await.ok()?;
    serde_json::from_slice(&body).ok().map(Described)
}

impl Described {
    fn tables(&self) -> BTreeSet<&str> {
        self.0
            .get("definitions")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect()
    }

    fn table(&self, name: &str) -> Option<&Value> {
        self.0.get("definitions")?.get(name)
    }

    /// Whether this description shows what the import did to an earlier one.
    fn shows(&self, report: &ImportReport, before: &Self) -> bool {
        let tables = self.tables();
        report.added.iter().all(|it| tables.contains(it.as_str()))
            && report.dropped.iter().all(|it| !tables.contains(it.as_str()))
            && report.changed.iter().all(|it| self.table(&it.table) != before.table(&it.table))
    }
}

/// Waits until the server shows an import's changes; false when it never did, for example because its role may not see
/// a table, or because a change does not touch what it describes.
pub(crate) async fn until_shown(port: u16, report: &ImportReport, before: &Described) -> bool {
    let deadline = Instant::now() + LIMIT;
    loop {
        if describe(port).await.is_some_and(|now| now.shows(report, before)) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstrap_sql::fdw::TableChange;
    use serde_json::json;

    #[test]
    fn changes_show_in_names_and_columns() {
        let before = Described(json!({"definitions": {"a": {"properties": {"x": {}}}, "gone": {}}}));
        let after = Described(json!({"definitions": {"a": {"properties": {"x": {}, "y": {}}}, "new": {}}}));
        let change = TableChange { table: "a".to_owned(), changes: vec!["added y".to_owned()] };
        let report = ImportReport {
            added: vec!["new".to_owned()],
            dropped: vec!["gone".to_owned()],
            changed: vec![change],
            ..ImportReport::default()
        };
        assert!(after.shows(&report, &before));
        assert!(!before.shows(&report, &before));
        assert!(before.shows(&ImportReport::default(), &before));
    }
}
