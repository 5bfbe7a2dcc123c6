//! The name of an environment, and what follows from it.

use std::str::FromStr;

/// A deployment's name: `dev`, `staging`, `production` or any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Environment(String);

impl Environment {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its state in the bucket, in a separate folder: the CI roles of an environment may use nothing else there, the
    /// default of `state_key_prefix`.
    pub(super) fn state_key(&self) -> String {
        format!("infra-tf/{}/terraform.tfstate", self.0)
    }

    /// The file with its variables, from `infra-tf`.
    pub(super) fn variables_file(&self) -> String {
        format!("environments/{}.tfvars", self.0)
    }
}

impl FromStr for Environment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // As the variable `environment` has it, which is part of every name.
        let is_name = text.starts_with(|it: char| it.is_ascii_lowercase())
            && text.len() <= 12
            && !text.ends_with('-')
            && !text.contains("--")
            && text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-');
        if is_name {
            return Ok(Self(text.to_owned()));
        }
        Err("expected at most 12 lower-case letters, digits and single hyphens, beginning with a letter"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_no_paths() {
        let dev: Environment = "dev-2".parse().expect("a name");
        assert_eq!(dev.state_key(), "infra-tf/dev-2/terraform.tfstate");
        for bad in ["", "../x", "Dev", "2dev", "a b", "dev-", "a--b", "abcdefghijklm"] {
            assert!(bad.parse::<Environment>().is_err(), "{bad}");
        }
    }
}
