//! `db status`: how the migrations stand.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use app_folder::MigrationState;
use clap::Args;
use local_stack::TargetStatus;
use serde_json::json;

use super::AppArgs;
use crate::{local, output};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    app: AppArgs,
}

pub(super) fn run(args: &StatusArgs) -> Result<ExitCode> {
    let (stack, folder) = args.app.open()?;
    local::run(async {
        let targets = stack.migration_status(&folder).await?;
        if args.json {
            output::data(&serde_json::to_string_pretty(&json!({ "targets": targets }))?);
        } else {
            output::data(&text(&targets));
        }
        Ok(())
    })
}

fn text(targets: &[TargetStatus]) -> String {
    let mut text = String::new();
    for it in targets {
        for migration in &it.migrations {
            let at = migration.applied_at.as_deref().unwrap_or("");
            let (target, state) = (it.target.as_str(), migration.state.as_str());
            let _ = writeln!(text, "{target:<7} {state:<8} {at:<20}  {}", migration.file);
        }
    }
    let all = || targets.iter().flat_map(|it| &it.migrations);
    let count = |state| all().filter(|it| it.state == state).count();
    let (applied, pending) = (count(MigrationState::Applied), count(MigrationState::Pending));
    let _ = write!(text, "{applied} applied, {pending} pending");
    let (changed, missing) = (count(MigrationState::Changed), count(MigrationState::Missing));
    if changed > 0 {
        let _ = write!(text, ", {changed} changed since (put the file back, or `db reset` a local stack)");
    }
    if missing > 0 {
        let _ = write!(text, ", {missing} missing (applied, and no such file here)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use app_folder::MigrationStatus;
    use bootstrap_sql::Target;

    #[test]
    fn the_text_counts_the_states_and_says_what_is_odd() {
        let migration =
            |file: &str, state| MigrationStatus { file: file.to_owned(), state, applied_at: None };
        let migrations = vec![
            migration("1_a.sql", MigrationState::Applied),
            migration("2_b.sql", MigrationState::Changed),
        ];
        let text = text(&[TargetStatus { target: Target::Custom, migrations }]);
        assert!(
            text.contains("custom  changed") && text.contains("1 applied, 0 pending, 1 changed"),
            "{text}"
        );
        assert!(!text.contains("missing"), "{text}");
    }
}
