//! Looks for secrets with detect-secrets, in files as they are and in the text that programs contain.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{output, python};

/// Values that look like secrets and are none: SHA-1 of the value, a space, where it stands and why.
const KNOWN: &str = include_str!("known-examples.txt");

/// Randomness alone is no secret: checksums of a lock file and of an image's packages are as random.
const NOT_IN_FILES: [&str; 2] = ["HexHighEntropyString", "Base64HighEntropyString"];

/// In the text of a program, only what has an unmistakable form counts: it says "password" and "BEGIN PRIVATE KEY" because
/// it reads such things.
const NOT_IN_PROGRAMS: [&str; 5] = [
    "HexHighEntropyString",
    "Base64HighEntropyString",
    "KeywordDetector",
    "BasicAuthDetector",
    "PrivateKeyDetector",
];

/// Shorter runs of printable characters are no secrets of a form that is looked for.
const MIN_RUN: usize = 16;

/// A search in progress.
pub(super) struct Scan<'a> {
    sh: &'a Shell,
    tool: PathBuf,
    findings: Vec<String>,
}

impl<'a> Scan<'a> {
    /// Sets up the tool.
    pub(super) fn new(sh: &'a Shell) -> Result<Self> {
        let tool = python::secret_scanner(sh).context("set up the search for secrets")?;
        Ok(Self { sh, tool, findings: Vec::new() })
    }

    /// Looks through everything in a folder.
    pub(super) fn folder(&mut self, folder: &Path, what: &str) -> Result<()> {
        self.run(folder, what, &NOT_IN_FILES)?;
        let texts = self.sh.create_temp_dir().context("make a folder for the text of programs")?;
        let mut n_programs = 0;
        for path in files(folder)? {
            let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            if std::str::from_utf8(&bytes).is_err() {
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string().replace('/', "!");
                std::fs::write(texts.path().join(format!("{n_programs}-{name}.txt")), printable(&bytes))
                    .context("write the text of a program")?;
                n_programs += 1;
            }
        }
        if n_programs > 0 {
            self.run(texts.path(), what, &NOT_IN_PROGRAMS)?;
        }
        Ok(())
    }

    fn run(&mut self, folder: &Path, what: &str, without: &[&str]) -> Result<()> {
        let (sh, tool) = (self.sh, &self.tool);
        let _here = sh.push_dir(folder);
        let without: Vec<&str> = without.iter().flat_map(|it| ["--disable-plugin", it]).collect();
        let text = cmd!(sh, "{tool} scan --all-files {without...} .")
            .quiet()
            .ignore_stderr()
            .read()
            .with_context(|| format!("look for secrets in the {what}"))?;
        let report: Value = serde_json::from_str(&text).context("read the report of detect-secrets")?;
        self.findings.extend(unknown(&report, &known()).into_iter().map(|it| format!("{what}: {it}")));
        Ok(())
    }

    /// Fails when anything was found so far.
    pub(super) fn finish(&self) -> Result<()> {
        if self.findings.is_empty() {
            return Ok(());
        }
        output::note(
            "An example that is no secret goes into xtask/src/publish/known-examples.txt, by its hash.",
        );
        bail!("{} possible secrets were found\n  {}", self.findings.len(), self.findings.join("\n  "))
    }
}

/// Hashes of the known examples.
fn known() -> BTreeSet<&'static str> {
    KNOWN.lines().filter(|it| !it.starts_with('#')).filter_map(|it| it.split_whitespace().next()).collect()
}

/// Findings that are no known examples: place, kind and hash, never the value.
fn unknown(report: &Value, known: &BTreeSet<&str>) -> Vec<String> {
    let files = report["results"].as_object().into_iter().flatten();
    files
        .flat_map(|(path, findings)| findings.as_array().into_iter().flatten().map(move |it| (path, it)))
        .filter(|(_, it)| !known.contains(it["hashed_secret"].as_str().unwrap_or_default()))
        .map(|(path, it)| {
            let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
            format!("{path}:{}: {} ({})", it["line_number"], text("type"), text("hashed_secret"))
        })
        .collect()
}

/// Every file below a folder; links are not followed.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// The runs of printable characters, one a line, as the program `strings` prints them.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in bytes.split(|it| !(0x20..0x7f).contains(it)).filter(|it| it.len() >= MIN_RUN) {
        text.extend(run.iter().map(|it| char::from(*it)));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_of_programs_is_found() {
        let text = printable(b"\x7fELF\x00a secret of sixteen\x00short\xff0123456789abcdef\n");
        assert_eq!(text, "a secret of sixteen\n0123456789abcdef\n");
    }

    #[test]
    fn known_examples_are_passed_over() {
        let finding = |hash: &str| json!({"type": "AWS Access Key", "hashed_secret": hash, "line_number": 3});
        let report = json!({"results": {"a/b": [finding("aa"), finding("bb")]}});
        assert_eq!(unknown(&report, &BTreeSet::from(["aa"])), ["a/b:3: AWS Access Key (bb)"]);
        assert!(known().iter().all(|it| it.len() == 40 && it.bytes().all(|it| it.is_ascii_hexdigit())));
    }
}
