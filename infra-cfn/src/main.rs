//! `infra-cfn`: the contract checks, and what other checkers need taken out of the templates. Used by `cargo xtask ci`.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use infra_cfn::{
    Stack, Template,
    catalog::DEFAULT_PREFIX,
    contract::{self, OF_ALL, RULES},
    extract, facts,
    resolve::Scope,
    write,
};

#[derive(Parser)]
#[command(about = "Checks the CloudFormation templates of this workspace")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the templates against this project's promises; exit code 1 when one is broken
    Check,
    /// List the promises by code
    Rules,
    /// Print as JSON which types, texts and actions the templates use, for checks/schemas.py
    Needs,
    /// Write user data scripts, IAM policies and the templates as they are sent into a folder, for other checkers
    Extract {
        /// Folder to write to: DIR/user-data/*.sh, DIR/policies/*.json and DIR/templates/*.yaml
        dir: PathBuf,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match Cli::parse().command {
        Command::Check => {
            let findings = contract::check_all();
            for finding in &findings {
                writeln!(out, "{finding}")?;
            }
            writeln!(
                out,
                "{} templates, {} rules, {} findings",
                Stack::ALL.len(),
                RULES.len() + OF_ALL.len(),
                findings.len()
            )?;
            Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Rules => {
            for (code, title) in OF_ALL {
                writeln!(out, "{code} {title}")?;
            }
            for rule in RULES {
                writeln!(out, "{} {}", rule.code, rule.title)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Needs => {
            writeln!(out, "{}", serde_json::to_string(&facts::needs()?)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Extract { dir } => {
            let (n_scripts, n_policies) = extract_all(&dir)?;
            writeln!(out, "{n_scripts} scripts and {n_policies} policies in {}", dir.display())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Writes everything anew, so that a file of a resource that is gone is not checked for ever.
fn extract_all(dir: &Path) -> anyhow::Result<(usize, usize)> {
    let (scripts, policies, sent) = (dir.join("user-data"), dir.join("policies"), dir.join("templates"));
    for folder in [&scripts, &policies, &sent] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("empty {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    let store = |path: PathBuf, text: String| {
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    };
    let (mut n_scripts, mut n_policies) = (0, 0);
    for stack in Stack::ALL {
        let template = Template::parse(stack.template_text())
            .with_context(|| format!("read {}", stack.template_path()))?;
        store(sent.join(format!("{stack}.yaml")), write::compact(stack.template_text())?)?;
        let scope = Scope::new(&template, stack.stack_name(DEFAULT_PREFIX));
        for script in extract::scripts(&scope)? {
            store(scripts.join(format!("{stack}-{}.sh", script.logical_id)), script.text)?;
            n_scripts += 1;
        }
        // parliament knows what a principal may do, not who may use a resource.
        for policy in extract::policies(&scope)?.into_iter().filter(|it| !it.is_resource_policy) {
            let name = format!("{stack}-{}-{}.json", policy.logical_id, policy.name);
            store(policies.join(name), serde_json::to_string_pretty(&policy.document)?)?;
            n_policies += 1;
        }
    }
    Ok((n_scripts, n_policies))
}
