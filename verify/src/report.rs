//! What a run came to, as lines for people and as JSON for programs.

use std::time::Duration;

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::{check::Outcome, subject::Target};

/// A check that was tried.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Name.
    pub name: &'static str,
    /// What it shows.
    pub what: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub time: Duration,
}

impl Entry {
    /// Its line, and what was found below it. Colour only underlines what the words say.
    pub fn line(&self) -> String {
        let seconds = format!("{:>7.3} s", self.time.as_secs_f64());
        let head =
            |word: &dyn std::fmt::Display| format!("{word} {seconds}  {:<22} {}", self.name, self.what);
        match &self.outcome {
            Outcome::Passed => head(&"ok     ".green()),
            Outcome::Failed(found) => format!("{}\n{}", head(&"FAILED ".red().bold()), indented(found)),
            Outcome::Skipped(why) => format!("{}\n{}", head(&"skipped".yellow()), indented(why)),
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("          {line}")).collect::<Vec<_>>().join("\n")
}

/// A whole run.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was tried.
    pub target: Target,
    /// Its address.
    pub url: String,
    /// The checks in order.
    pub entries: Vec<Entry>,
    /// What could not be taken back, with the reason.
    pub leftovers: Vec<String>,
    /// Whether somebody stopped it.
    pub interrupted: bool,
    /// From beginning to end.
    pub time: Duration,
}

impl Report {
    fn count(&self, is_counted: fn(&Outcome) -> bool) -> usize {
        self.entries.iter().filter(|it| is_counted(&it.outcome)).count()
    }

    /// Number of checks that passed.
    pub fn passed(&self) -> usize {
        self.count(|it| matches!(it, Outcome::Passed))
    }

    /// Number of checks that failed.
    pub fn failed(&self) -> usize {
        self.count(|it| matches!(it, Outcome::Failed(_)))
    }

    /// Number of checks that were not tried.
    pub fn skipped(&self) -> usize {
        self.count(|it| matches!(it, Outcome::Skipped(_)))
    }

    /// Whether the deployment is as it should be. A run that tried nothing shows nothing.
    pub fn is_good(&self) -> bool {
        !self.interrupted && self.failed() == 0 && self.passed() > 0 && self.leftovers.is_empty()
    }

    /// The closing lines.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for it in &self.leftovers {
            text.push_str(&format!("left behind: {it}\n"));
        }
        if self.interrupted {
            text.push_str("interrupted; what the checks had made was removed\n");
        }
        text.push_str(&format!(
            "{} {} in {:.1} s: {} passed, {} failed, {} skipped",
            self.target,
            self.url,
            self.time.as_secs_f64(),
            self.passed(),
            self.failed(),
            self.skipped()
        ));
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let entry = |it: &Entry| {
            let (outcome, reason) = match &it.outcome {
                Outcome::Passed => ("passed", None),
                Outcome::Failed(found) => ("failed", Some(found)),
                Outcome::Skipped(why) => ("skipped", Some(why)),
            };
            json!({
                "name": it.name, "what": it.what, "outcome": outcome, "reason": reason,
                "seconds": it.time.as_secs_f64(),
            })
        };
        json!({
            "target": self.target.to_string(), "url": self.url, "good": self.is_good(),
            "passed": self.passed(), "failed": self.failed(), "skipped": self.skipped(),
            "interrupted": self.interrupted, "leftovers": self.leftovers,
            "seconds": self.time.as_secs_f64(),
            "checks": self.entries.iter().map(entry).collect::<Vec<_>>(),
        })
    }
}
