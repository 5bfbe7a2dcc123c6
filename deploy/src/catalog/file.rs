//! The text of a `stacks.toml` as data, exactly as written: what is unknown is refused with its line.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A value of a parameter. CloudFormation knows texts only; a list is one with commas.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a text, a number, true, false, or a list of those")]
pub(super) enum Value {
    Text(String),
    Whole(i64),
    Switch(bool),
    Fraction(f64),
    List(Vec<Value>),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(it) => f.write_str(it),
            Self::Whole(it) => write!(f, "{it}"),
            Self::Switch(it) => write!(f, "{it}"),
            Self::Fraction(it) => write!(f, "{it}"),
            Self::List(all) => {
                f.write_str(&all.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// What every layer may say about stacks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common<'f> {
    pub(super) parameters: &'f BTreeMap<String, Value>,
    pub(super) tags: &'f BTreeMap<String, String>,
    pub(super) role: Option<&'f str>,
    pub(super) notifications: Option<&'f [String]>,
    pub(super) termination_protection: Option<bool>,
    pub(super) stack_policy: Option<&'f str>,
}

/// Structs of the file that hold the common keys beside their own. A flattened struct could not refuse unknown keys.
macro_rules! layers {
    ($($(#[$doc:meta])* $name:ident { $($(#[$own_doc:meta])* $own:ident: $kind:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub(super) struct $name {
            $($(#[$own_doc])* pub(super) $own: $kind,)*
            parameters: BTreeMap<String, Value>,
            tags: BTreeMap<String, String>,
            role: Option<String>,
            notifications: Option<Vec<String>>,
            termination_protection: Option<bool>,
            stack_policy: Option<String>,
        }

        impl $name {
            /// The keys that every layer has.
            pub(super) fn common(&self) -> Common<'_> {
                Common {
                    parameters: &self.parameters,
                    tags: &self.tags,
                    role: self.role.as_deref(),
                    notifications: self.notifications.as_deref(),
                    termination_protection: self.termination_protection,
                    stack_policy: self.stack_policy.as_deref(),
                }
            }
        }
    )* };
}

layers! {
    /// `[all]`: what holds for every stack.
    All {}

    /// `[[stack]]`.
    StackLayer {
        /// Short name, on the command line.
        name: String,
        /// Path of the template, from the file's folder.
        template: String,
        /// Name in CloudFormation.
        stack_name: Option<String>,
        /// Path of the parameter file, from the file's folder.
        parameters_file: Option<String>,
        /// Stacks that come first although nothing is imported from them.
        needs: Vec<String>,
        /// Why `terminate --all` leaves it out.
        stays: Option<String>,
        /// Output that names a bucket for large templates.
        bucket_output: Option<String>,
    }

    /// `[environment.NAME]`.
    Environment {
        /// Prefix of the stack names.
        prefix: Option<String>,
        /// The account that it belongs to.
        account: Option<String>,
        /// The region that it belongs to.
        region: Option<String>,
        /// Profile of the AWS configuration.
        profile: Option<String>,
        /// Bucket for large templates.
        template_bucket: Option<String>,
        /// What differs for some of the stacks.
        stack: BTreeMap<String, Overlay>,
    }

    /// `[environment.NAME.stack.STACK]`.
    Overlay {
        /// Name in CloudFormation.
        stack_name: Option<String>,
        /// Path of the parameter file.
        parameters_file: Option<String>,
        /// Whether the stack is left out of the environment.
        absent: bool,
    }
}

/// A `stacks.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    /// Prefix of the stack names; an environment adds its name to it.
    pub(super) prefix: Option<String>,
    /// The environment that is meant where none is named.
    pub(super) default_environment: Option<String>,
    /// The account that everything belongs to.
    pub(super) account: Option<String>,
    /// The region that everything belongs to.
    pub(super) region: Option<String>,
    /// Profile of the AWS configuration.
    pub(super) profile: Option<String>,
    /// Bucket for large templates.
    pub(super) template_bucket: Option<String>,
    /// What holds for every stack.
    pub(super) all: All,
    /// The stacks.
    pub(super) stack: Vec<StackLayer>,
    /// The environments.
    pub(super) environment: BTreeMap<String, Environment>,
}
