//! The flags, in groups: a command takes a group only when it can honour every flag of it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use infra_cfn::catalog::PREFIX_LENGTH;

use deploy::{
    Settings,
    cloud::{Mode, OnFailure},
};

/// Which stacks of which installation.
#[derive(Args, Clone)]
pub(crate) struct Target {
    /// Stack to work on; may be repeated
    #[arg(long = "stack", value_name = "NAME")]
    pub(super) stacks: Vec<String>,
    /// Every stack
    #[arg(long, conflicts_with = "stacks")]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) home: Home,
}

/// Where an installation is.
#[derive(Args, Clone)]
pub(crate) struct Home {
    /// File that says which stacks there are; stacks.toml of this folder where it is there, else the stacks of this project
    #[arg(long, value_name = "FILE", conflicts_with = "built_in")]
    pub(super) file: Option<PathBuf>,
    /// The stacks of this project, even where a stacks.toml is there
    #[arg(long)]
    pub(super) built_in: bool,
    /// Environment of the file
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
    /// Prefix of the stack names, over that of the file; default postgresasapp
    #[arg(long, value_parser = prefix)]
    pub(super) prefix: Option<String>,
    /// Folder of the parameter files
    #[arg(long, value_name = "DIR")]
    pub(super) params_dir: Option<PathBuf>,
    /// Profile of the AWS configuration, over AWS_PROFILE
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Region, over AWS_REGION and the profile's
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
}

/// How a result is printed.
#[derive(Args, Clone, Copy, Default)]
pub(crate) struct Format {
    /// Print JSON for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// How CloudFormation is followed.
#[derive(Args, Clone)]
pub(crate) struct Pace {
    /// Seconds between two looks at a stack
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = poll)]
    pub(super) poll: Duration,
    /// Minutes after which following ends; CloudFormation goes on
    #[arg(long, value_name = "MINUTES", default_value = "360", value_parser = minutes)]
    pub(super) deadline: Duration,
}

/// Whether somebody is asked.
#[derive(Args, Clone, Copy)]
pub(crate) struct Consent {
    /// Do not ask; changes that lose data need --allow-data-loss all the same
    #[arg(long, short)]
    pub(super) yes: bool,
}

/// What goes into a change set.
#[derive(Args, Clone)]
pub(crate) struct Values {
    /// Value of a parameter, over the parameter file; STACK.NAME=VALUE for one stack only; may be repeated
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) parameters: Vec<(String, String)>,
    /// Tag of the stacks and everything in them, beside those that they have; may be repeated
    #[arg(long = "tags", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Role that CloudFormation acts with
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// Bucket for templates over 51,200 bytes, over that of the file; the s3 stack's bucket is used when it exists
    #[arg(long, value_name = "BUCKET")]
    template_bucket: Option<String>,
    /// Take the current image of the host, which replaces the host
    #[arg(long)]
    new_host_image: bool,
}

/// How stacks are made and changed.
#[derive(Args, Clone)]
pub(crate) struct Making {
    /// What happens to a stack that fails
    #[arg(long, value_enum, default_value_t)]
    on_failure: OnFailureFlag,
    /// Turn termination protection on or off
    #[arg(long, value_enum)]
    termination_protection: Option<Switch>,
    /// Do not ask the account first whether names are free, images there and quotas enough
    #[arg(long)]
    no_preflight: bool,
    /// Put back what was changed by hand, too; without it CloudFormation leaves what its template does not change.
    /// This overwrites repairs that were made in an emergency
    #[arg(long)]
    revert_drift: bool,
    /// End when the configuration is applied, without waiting until the resources work: quicker, and a stack that is
    /// complete may not serve yet, nor is it rolled back when it never does. For development only
    #[arg(long)]
    express: bool,
}

/// Leave to lose data.
#[derive(Args, Clone, Default)]
pub(crate) struct Leave {
    /// Resource that may be replaced or deleted although it holds data, as LOGICAL_ID or STACK.LOGICAL_ID; may be repeated
    #[arg(long = "allow-data-loss", value_name = "RESOURCE")]
    pub(super) allow_data_loss: Vec<String>,
}

#[derive(ValueEnum, Clone, Copy, Default)]
pub(super) enum OnFailureFlag {
    /// Go back to what was
    #[default]
    Rollback,
    /// Leave everything to be looked at
    Keep,
    /// Delete a new stack
    Delete,
}

impl From<OnFailureFlag> for OnFailure {
    fn from(flag: OnFailureFlag) -> Self {
        match flag {
            OnFailureFlag::Rollback => Self::Rollback,
            OnFailureFlag::Keep => Self::Keep,
            OnFailureFlag::Delete => Self::Delete,
        }
    }
}

#[derive(ValueEnum, Clone, Copy)]
pub(super) enum Switch {
    On,
    Off,
}

impl Pace {
    pub(super) fn set(&self, settings: &mut Settings) {
        (settings.poll, settings.deadline) = (self.poll, self.deadline);
    }
}

impl Values {
    pub(super) fn set(&self, settings: &mut Settings) {
        settings.role_arn.clone_from(&self.role_arn);
        settings.tags = self.tags.iter().cloned().collect();
        if self.template_bucket.is_some() {
            settings.bucket.clone_from(&self.template_bucket);
        }
        settings.new_host_image = self.new_host_image;
    }
}

impl Making {
    pub(super) fn set(&self, settings: &mut Settings) {
        settings.on_failure = self.on_failure.into();
        settings.protect = self.termination_protection.map(|it| matches!(it, Switch::On));
        settings.looks_ahead = !self.no_preflight;
        settings.mode = Mode { reverts_drift: self.revert_drift, is_express: self.express };
    }
}

fn prefix(text: &str) -> Result<String, String> {
    let is_good = text.starts_with(|it: char| it.is_ascii_lowercase())
        && text.len() <= PREFIX_LENGTH
        && text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-');
    if is_good {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "must start with a lower case letter and hold at most {PREFIX_LENGTH} lower case letters, digits and hyphens"
        ))
    }
}

fn poll(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|it| (0.1..=60.0).contains(it));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "must be a number of seconds from 0.1 to 60".into())
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes = text.parse::<u64>().ok().filter(|it| (1..=10_080).contains(it));
    minutes
        .map(Duration::from_mins)
        .ok_or_else(|| "must be a number of minutes from 1 to 10080, a week".into())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) =
        text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("must have the form NAME=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
