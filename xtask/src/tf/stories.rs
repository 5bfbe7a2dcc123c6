//! What happens to a deployment after its first day, in one pretend account: a second environment beside it, and its own
//! end and return. The upgrade is among the changes of [`super::roles`].

use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};

use super::life::{self, Account};
use super::terraform::{Ended, Terraform};
use crate::output;

/// One command of a story: what it shows, the state it works on, and what is typed.
struct Step {
    shows: &'static str,
    state: &'static str,
    args: &'static [&'static str],
}

const FIRST: &str = "-state=first.tfstate";
const SECOND: &str = "-state=second.tfstate";
/// What the guide has the second environment of an account say.
const BESIDE: &[&str] = &[
    "-var=environment=dev-2",
    "-var=github_create_oidc_provider=false",
    "-var=api_manage_account_logging=false",
];

const STEPS: &[Step] = &[
    Step { shows: "a first environment", state: FIRST, args: &["apply", "-auto-approve"] },
    Step { shows: "a second one beside it", state: SECOND, args: &["apply", "-auto-approve"] },
    Step {
        shows: "the second has nothing to do again",
        state: SECOND,
        args: &["plan", "-detailed-exitcode"],
    },
    Step { shows: "nor has the first", state: FIRST, args: &["plan", "-detailed-exitcode"] },
    Step { shows: "the second goes", state: SECOND, args: &["destroy", "-auto-approve"] },
    Step {
        shows: "and takes nothing of the first along",
        state: FIRST,
        args: &["plan", "-detailed-exitcode"],
    },
    Step { shows: "the first goes, with a last snapshot", state: FIRST, args: &["destroy", "-auto-approve"] },
    Step { shows: "and comes back under its name", state: FIRST, args: &["apply", "-auto-approve"] },
    Step {
        shows: "and goes again, with another snapshot",
        state: FIRST,
        args: &["destroy", "-auto-approve"],
    },
];

/// Tells the story on an initialised copy; returns what went wrong.
pub(super) fn tell(terraform: &Terraform, base: &Path) -> Result<Vec<String>> {
    let begun = Instant::now();
    let account = Account::new(base, "stories")?;
    let terraform = account.enter(&life::without_credentials(&terraform.within(base)), true);
    for Step { shows, state, args } in STEPS {
        let mut all: Vec<OsString> = args.iter().map(OsString::from).collect();
        all.extend(["-input=false", *state, "-var-file=tests/ci.tfvars"].map(OsString::from));
        if *state == SECOND {
            all.extend(BESIDE.iter().map(OsString::from));
        }
        match terraform.keep(&all)? {
            (Ended::Well, _) => {}
            (Ended::Interrupted, _) => bail!("interrupted"),
            (Ended::Badly, text) => return Ok(vec![format!("{shows}: {}\n{text}", args.join(" "))]),
        }
    }
    let found = account.findings()?;
    if found.is_empty() {
        output::note(&format!(
            "   a second environment, the end of the first and its return  {:>5.1} s",
            begun.elapsed().as_secs_f64()
        ));
    }
    Ok(found)
}
