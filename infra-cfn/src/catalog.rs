//! The stacks of the hybrid deployment: their names, their templates and their sample parameters, embedded at build time.
//!
//! Says nothing about order: that follows from the templates, see [`crate::graph`].

use std::{fmt, str::FromStr};

/// A stack that this crate has a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stack {
    /// Bucket for one-click templates.
    S3,
    /// User, groups and administrator role.
    Iam,
    /// Network.
    Vpc,
    /// Origin database.
    Rds,
    /// Volume and credentials of the custom database.
    Persist,
    /// Custom database and API.
    Compute,
}

/// Prefix of the stack names when none is given.
pub const DEFAULT_PREFIX: &str = "postgresasapp";

/// The stacks as a file in the form that the deploy engine reads.
pub const STACKS_FILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/stacks.toml"));

/// Most characters of a prefix: a longer one would make names that a service does not take.
pub const PREFIX_LENGTH: usize = 29;

macro_rules! file {
    ($folder:literal, $name:literal, $extension:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $name, $extension))
    };
}

impl Stack {
    /// Every stack, in the order of the documentation.
    pub const ALL: [Self; 6] = [Self::S3, Self::Iam, Self::Vpc, Self::Rds, Self::Persist, Self::Compute];

    /// The name on the command line and of the template file.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Iam => "iam",
            Self::Vpc => "vpc",
            Self::Rds => "rds",
            Self::Persist => "persist",
            Self::Compute => "compute",
        }
    }

    /// The name in CloudFormation.
    pub fn stack_name(self, prefix: &str) -> String {
        format!("{prefix}-{}", self.name())
    }

    /// Text of the template.
    pub fn template_text(self) -> &'static str {
        match self {
            Self::S3 => file!("templates", "s3", ".yaml"),
            Self::Iam => file!("templates", "iam", ".yaml"),
            Self::Vpc => file!("templates", "vpc", ".yaml"),
            Self::Rds => file!("templates", "rds", ".yaml"),
            Self::Persist => file!("templates", "persist", ".yaml"),
            Self::Compute => file!("templates", "compute", ".yaml"),
        }
    }

    /// Text of the sample parameter file.
    pub fn sample_text(self) -> &'static str {
        match self {
            Self::S3 => file!("params", "s3", ".sample.json"),
            Self::Iam => file!("params", "iam", ".sample.json"),
            Self::Vpc => file!("params", "vpc", ".sample.json"),
            Self::Rds => file!("params", "rds", ".sample.json"),
            Self::Persist => file!("params", "persist", ".sample.json"),
            Self::Compute => file!("params", "compute", ".sample.json"),
        }
    }

    /// Path of the template in the workspace, for messages.
    pub fn template_path(self) -> String {
        format!("infra-cfn/templates/{}.yaml", self.name())
    }

    /// Path of the parameter file in the workspace; it is not committed.
    pub fn params_path(self) -> String {
        format!("infra-cfn/params/{}.json", self.name())
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no stack has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown stack \"{0}\", expected one of s3, iam, vpc, rds, persist, compute")]
pub struct UnknownStack(String);

impl FromStr for Stack {
    type Err = UnknownStack;

    fn from_str(name: &str) -> Result<Self, UnknownStack> {
        Self::ALL.into_iter().find(|it| it.name() == name).ok_or_else(|| UnknownStack(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for stack in Stack::ALL {
            assert_eq!(stack.name().parse(), Ok(stack));
        }
        let err = "db".parse::<Stack>().unwrap_err();
        assert_eq!(
            err.to_string(),
            "unknown stack \"db\", expected one of s3, iam, vpc, rds, persist, compute"
        );
        assert_eq!(Stack::Vpc.stack_name("app"), "app-vpc");
    }
}
