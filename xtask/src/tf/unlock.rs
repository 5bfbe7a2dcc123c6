//! A lock that a run left behind, taken off its state.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use super::{InEnvironment, REFUSED, Root};
use crate::output;

#[derive(Debug, Args)]
pub(super) struct ForceUnlockArgs {
    /// Id of the lock, which Terraform shows where it meets it
    #[arg(value_name = "LOCK_ID")]
    pub(super) id: String,
    // After the id: what comes behind `--` has to be the last.
    #[command(flatten)]
    pub(super) which: InEnvironment,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
}

impl Root {
    /// Takes a lock off; whoever holds it would then write the state together with the next run, so it asks.
    pub(super) fn force_unlock(&self, args: &ForceUnlockArgs) -> Result<ExitCode> {
        self.must_be_initialised()?;
        if args.id.is_empty() || args.id.starts_with('-') {
            bail!(
                "'{}' is no id of a lock: it is the line \"ID:\" of \"Error acquiring the state lock\"",
                args.id
            );
        }
        let env = self.environment.as_str();
        let question = format!(
            "Is the run that locked the state of {env} over? Another one would write the state at the same time. Type yes: "
        );
        if !args.yes && (self.ask)(&question)?.as_deref() != Some("yes") {
            output::note("the lock is kept; say --yes to take it off without a question");
            return Ok(ExitCode::from(REFUSED));
        }
        let mut all = vec!["force-unlock".into(), "-force".into()];
        all.extend(args.which.args.iter().cloned());
        all.push(args.id.clone().into());
        Ok(self.told(self.terraform.run(&all)?).code())
    }
}
