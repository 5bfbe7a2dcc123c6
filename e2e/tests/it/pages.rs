//! Types every block of README and docs that is marked `console` or `sh`, in order, on a fresh local stack, and
//! compares what a `console` block shows.
//!
//! A comment `<!-- not run: REASON -->` before a block leaves it out, and one in the first lines of a page leaves all of
//! the page out; what is left out is named and counted. Ports are free ones, so the pages may say what users type.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use e2e::programs;
use local_stack::ports;
use tokio::process::Command;

/// What a reason is written with.
const LEFT_OUT: &str = "<!-- not run: ";

/// A block to be typed.
#[derive(Debug)]
struct Block {
    page: String,
    /// Of its first line, from 1.
    line: usize,
    /// Commands with what the page shows of their output.
    commands: Vec<(String, Vec<String>)>,
    /// Why it is not typed.
    left_out: Option<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The pages in the order in which they are typed.
fn pages() -> Result<Vec<PathBuf>> {
    let mut pages: Vec<PathBuf> = std::fs::read_dir(root().join("docs"))?
        .map(|it| Ok(it?.path()))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .filter(|it| it.extension().is_some_and(|it| it == "md"))
        .collect();
    pages.sort();
    pages.insert(0, root().join("README.md"));
    Ok(pages)
}

/// The blocks of a page.
fn blocks(page: &str, text: &str) -> Result<Vec<Block>> {
    let reason = |line: &str| Some(line.trim().strip_prefix(LEFT_OUT)?.strip_suffix(" -->")?.to_owned());
    let of_page = text.lines().take(4).find_map(reason);
    let mut found = Vec::new();
    let mut before: Option<String> = None;
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            if !line.trim().is_empty() {
                before = reason(line);
            }
            continue;
        };
        let body: Vec<&str> = lines.by_ref().map(|(_, it)| it).take_while(|it| it.trim() != "```").collect();
        let commands = match language {
            "console" => console(&body).with_context(|| format!("{page}:{}", number + 1))?,
            "sh" => vec![(body.join("\n"), Vec::new())],
            _ => continue,
        };
        let left_out = of_page.clone().or(before.take());
        found.push(Block { page: page.to_owned(), line: number + 1, commands, left_out });
    }
    Ok(found)
}

/// Commands after `$ `, with the lines that a backslash or an open quote continues; the rest is output.
fn console(body: &[&str]) -> Result<Vec<(String, Vec<String>)>> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    let mut is_open = false;
    for line in body {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (None, Some((command, _))) if is_open => {
                command.push('\n');
                command.push_str(line);
            }
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((_, output))) => output.push((*line).to_owned()),
            (None, None) => anyhow::bail!("a console block begins with a command after `$ `"),
        }
        is_open = commands.last().is_some_and(|(command, output)| {
            output.is_empty() && (command.ends_with('\\') || command.matches('\'').count() % 2 == 1)
        });
    }
    Ok(commands)
}

/// A folder that takes the place of the checkout, and what its commands run.
struct Desk {
    root: tempfile::TempDir,
    bin: tempfile::TempDir,
    /// Ports as the pages have them, and those in use.
    ports: BTreeMap<&'static str, String>,
}

impl Desk {
    fn new() -> Result<Self> {
        let root = tempfile::tempdir()?;
        // The sample, as it lies in a clone.
        std::os::unix::fs::symlink(self::root().join("examples"), root.path().join("examples"))?;
        let bin = tempfile::tempdir()?;
        // As root, the databases' user has to get in.
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755))?;
        let mut ports = BTreeMap::new();
        let mut settings = String::new();
        for (key, shown) in [("api-port", "3000"), ("origin-port", "54321"), ("custom-port", "54322")] {
            let port = ports::free()?.to_string();
            writeln!(settings, "{key} = {port}")?;
            ports.insert(shown, port);
        }
        std::fs::write(root.path().join("pgapp.toml"), settings)?;
        let desk = Self { root, bin, ports };
        let (xtask, real_curl) = (programs::path("xtask")?, find("curl").context("find curl")?);
        // The server was built by whoever built this test.
        desk.program(
            "cargo",
            &format!("[ \"$1\" = xtask ] || exit 0\nshift\nexec '{}' \"$@\"", xtask.display()),
        )?;
        // Progress is for terminals.
        desk.program("curl", &format!("exec '{}' --silent --show-error \"$@\"", real_curl.display()))?;
        Ok(desk)
    }

    fn program(&self, name: &str, script: &str) -> Result<()> {
        let path = self.bin.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        Ok(std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?)
    }

    /// What a command prints, with the ports of the page.
    async fn run(&self, command: &str) -> Result<String> {
        let here = self.ports.iter().fold(command.to_owned(), |it, (shown, port)| it.replace(shown, port));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(
            std::iter::once(self.bin.path().to_owned()).chain(std::env::split_paths(&path)),
        )?;
        let target =
            programs::path("pgapp-api")?.ancestors().nth(2).context("find the build folder")?.to_owned();
        let output = Command::new("bash")
            .args(["-c", &format!("exec 2>&1\n{here}")])
            .current_dir(self.root.path())
            .env("PATH", path)
            .env("CARGO", self.bin.path().join("cargo"))
            .env("CARGO_MANIFEST_DIR", self.root.path().join("xtask"))
            .env("CARGO_TARGET_DIR", target)
            .env("NO_COLOR", "1")
            .env_remove("PGRST_LOG_LEVEL")
            .output()
            .await
            .context("run bash")?;
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        ensure!(output.status.success(), "it ended with {}:\n{text}", output.status);
        Ok(self.ports.iter().fold(text, |it, (shown, port)| it.replace(port, shown)))
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|it| it.join(program)).find(|it| it.is_file())
}

/// A line without what differs from run to run: times, and what machine it is.
fn plain(line: &str) -> String {
    let line = line.trim_end();
    match line.trim_start().split_once("s  ") {
        Some((time, rest)) if time.parse::<f64>().is_ok() && rest.starts_with("backend ") => {
            "s  backend".to_owned()
        }
        Some((time, rest)) if time.parse::<f64>().is_ok() => format!("s  {rest}"),
        _ => line.to_owned(),
    }
}

/// Whether the output is what the page shows. A line `...` stands for any number of lines.
fn is_shown(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line.trim() == "..." => {
            (0..=printed.len()).any(|skipped| is_shown(rest, &printed[skipped..]))
        }
        Some((line, rest)) => {
            printed.first().is_some_and(|it| plain(it) == plain(line)) && is_shown(rest, &printed[1..])
        }
    }
}

#[tokio::test]
async fn blocks_of_the_pages_do_what_they_say() -> Result<()> {
    if find("psql").is_none() {
        eprintln!("skipped: psql is not installed");
        return Ok(());
    }
    let desk = Desk::new()?;
    let (mut n_run, mut wrong) = (0, Vec::new());
    let mut left_out: BTreeMap<(String, String), usize> = BTreeMap::new();
    for page in pages()? {
        let name = page.strip_prefix(root()).unwrap_or(&page).display().to_string();
        for block in blocks(&name, &std::fs::read_to_string(&page)?)? {
            if let Some(reason) = block.left_out {
                *left_out.entry((block.page, reason)).or_default() += 1;
                continue;
            }
            n_run += 1;
            for (command, shown) in &block.commands {
                let place = format!("{}:{}: $ {command}", block.page, block.line);
                match desk.run(command).await {
                    Err(error) => wrong.push(format!("{place}\n{error:#}")),
                    Ok(text) => {
                        let printed: Vec<String> = text.lines().map(str::to_owned).collect();
                        if !shown.is_empty() && !is_shown(shown, &printed) {
                            wrong.push(format!("{place}\nshows\n{}\nbut prints\n{text}", shown.join("\n")));
                        }
                    }
                }
            }
        }
    }
    desk.run("cargo xtask down --volumes").await?;
    for ((page, reason), n_blocks) in &left_out {
        eprintln!("left out: {n_blocks} of {page}: {reason}");
    }
    ensure!(wrong.is_empty(), "{} of the commands do something else:\n\n{}", wrong.len(), wrong.join("\n\n"));
    ensure!(n_run >= 7, "only {n_run} blocks were run");
    Ok(())
}

#[test]
fn blocks_are_read_with_commands_output_and_reasons() -> Result<()> {
    let text = "<!-- x -->\n# A\n\n```console\n$ a \\\n    b\nout\n$ c\n```\n\n<!-- not run: needs AWS -->\n\n```sh\nd\ne\n```\n```rust\nf\n```\n";
    let found = blocks("page", text)?;
    let shown: Vec<_> = found.iter().map(|it| (it.line, it.commands.len(), it.left_out.as_deref())).collect();
    assert_eq!(shown, [(4, 2, None), (13, 1, Some("needs AWS"))]);
    assert_eq!(found[0].commands[0], ("a \\\n    b".to_owned(), vec!["out".to_owned()]));
    let all = blocks("page", &format!("# A\n<!-- not run: all of it -->\n{text}"))?;
    assert!(all.iter().all(|it| it.left_out.as_deref() == Some("all of it")));
    assert!(blocks("page", "```console\nno command\n```\n").is_err());
    Ok(())
}

#[test]
fn dots_stand_for_lines_and_times_do_not_count() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let shown = lines("   0.0s  backend   native: Postgres 15.18\n   ...\n   1.9s  api       running\nend");
    let printed = lines(
        "   0.1s  backend   docker\n  0.2s  origindb  starting\n  0.9s  x\n   2.1s  api       running\nend",
    );
    assert!(is_shown(&shown, &printed));
    assert!(!is_shown(&shown, &printed[..4]));
    assert!(!is_shown(&lines("a"), &lines("b")));
}
