//! A deployment in a pretend account, which acts as an administrator or as one of the account's roles.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::life::{self, Account};
use super::terraform::{Ended, Terraform};

/// A state, the account it is in, and Terraform between them.
pub(super) struct Stage {
    terraform: Terraform,
    account: Account,
    /// A separate file for each: several work in one folder at a time.
    state: String,
}

/// A call that was refused.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) action: String,
    pub(super) resource: String,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)
    }
}

impl Stage {
    /// An empty account of this name.
    pub(super) fn new(terraform: &Terraform, folder: &Path, name: &str) -> Result<Self> {
        let account = Account::new(folder, name)?;
        let terraform = account.enter(&life::without_credentials(&terraform.within(folder)), true);
        Ok(Self { terraform, account, state: format!("{name}.tfstate") })
    }

    /// Another state, of the same account, perhaps of another configuration.
    pub(super) fn beside(&self, folder: &Path, name: &str) -> Self {
        Self {
            terraform: self.terraform.within(folder),
            account: self.account.clone(),
            state: format!("{name}.tfstate"),
        }
    }

    /// Runs a command as an administrator; how it ended, and what Terraform said.
    pub(super) fn run<T: AsRef<str>>(&self, command: &[&str], variables: &[T]) -> Result<(Ended, String)> {
        self.run_with(&self.terraform, command, variables)
    }

    /// Runs a command as a role: refusals are noted, and the command goes on.
    pub(super) fn run_as<T: AsRef<str>>(
        &self,
        role: &str,
        command: &[&str],
        variables: &[T],
    ) -> Result<(Ended, BTreeSet<Call>)> {
        self.account.forget()?;
        let terraform = self.terraform.clone().with_env("TERRAFORM_OFFLINE_AS_ROLE", role);
        let terraform = terraform.with_env("TERRAFORM_OFFLINE_DENY", "record");
        let (ended, text) = self.run_with(&terraform, command, variables)?;
        if ended == Ended::Badly && !command.contains(&"-detailed-exitcode") {
            let variables: Vec<&str> = variables.iter().map(AsRef::as_ref).collect();
            bail!("as {role}: terraform {} {}\n{text}", command.join(" "), variables.join(" "));
        }
        let calls = self.account.lines("calls.jsonl")?;
        let field = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
        let calls =
            calls.iter().map(|it| Call { action: field(it, "action"), resource: field(it, "resource") });
        Ok((ended, calls.collect()))
    }

    fn run_with<T: AsRef<str>>(
        &self,
        terraform: &Terraform,
        command: &[&str],
        variables: &[T],
    ) -> Result<(Ended, String)> {
        let mut args: Vec<OsString> = command.iter().map(OsString::from).collect();
        args.push(format!("-state={}", self.state).into());
        args.push("-input=false".into());
        args.extend(variables.iter().map(|it| OsString::from(format!("-{}", it.as_ref()))));
        match terraform.keep(&args)? {
            (Ended::Interrupted, _) => bail!("interrupted"),
            other => Ok(other),
        }
    }

    /// An output as it is printed, without quotes.
    pub(super) fn output(&self, name: &str) -> Result<String> {
        self.terraform.read(["output", "-raw", &format!("-state={}", self.state), name])
    }

    /// What is in the state: resources, and what was looked up.
    pub(super) fn resources(&self) -> Result<Vec<Value>> {
        let state: Value = serde_json::from_str(&self.terraform.read(["show", "-json", &self.state])?)
            .context("read what was applied")?;
        let mut resources = Vec::new();
        life::collect(&state["values"]["root_module"], &mut resources);
        Ok(resources)
    }

    /// What AWS took and what then does not work, a line each.
    pub(super) fn findings(&self) -> Result<Vec<String>> {
        self.account.findings()
    }
}
