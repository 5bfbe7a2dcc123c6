//! Types every block of README and docs that is marked `console` or `sh`, in order, on a fresh local stack, and
//! compares what a `console` block shows.
//!
//! A comment `<!-- not run: REASON -->` before a block leaves it out, and one in the first lines of a page leaves all of
//! the page out; what is left out is named and counted. `<!-- on a new stack -->` there has the page typed after the others,
//! with nothing of them left. Ports are free ones, so the pages may say what users type.
//!
//! A command that ends with `&` runs beside those after it; what they show may then take a moment, as it does for a reader.
//! `…` stands for any text within a line. A command whose shown output begins with `error: ` has to fail.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::programs;
use local_stack::ports;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// What a reason is written with.
const LEFT_OUT: &str = "<!-- not run: ";

/// What has a page typed on a separate stack.
const NEW_STACK: &str = "<!-- on a new stack -->";

/// Longest wait for what a command in the background brings about.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let mut is_last = Vec::new();
    for page in &pages {
        is_last.push(is_on_new_stack(&std::fs::read_to_string(page)?));
    }
    let mut is_last = is_last.into_iter();
    let (last, mut pages): (Vec<_>, Vec<_>) = pages.into_iter().partition(|_| is_last.next() == Some(true));
    pages.extend(last);
    Ok(pages)
}

fn is_on_new_stack(text: &str) -> bool {
    text.lines().take(4).any(|it| it.trim() == NEW_STACK)
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
    /// Beside it is room for applications.
    root: PathBuf,
    around: tempfile::TempDir,
    bin: tempfile::TempDir,
    /// Ports as the pages have them, and those in use.
    ports: BTreeMap<&'static str, String>,
}

impl Desk {
    fn new() -> Result<Self> {
        let around = tempfile::tempdir()?;
        let root = around.path().join("checkout");
        std::fs::create_dir(&root)?;
        // The sample, as it lies in a clone.
        std::os::unix::fs::symlink(self::root().join("examples"), root.join("examples"))?;
        let bin = tempfile::tempdir()?;
        // As root, the databases' user has to get in.
        std::fs::set_permissions(around.path(), std::fs::Permissions::from_mode(0o755))?;
        let mut ports = BTreeMap::new();
        let mut settings = String::new();
        for (key, shown) in [("api-port", "3000"), ("origin-port", "54321"), ("custom-port", "54322")] {
            let port = ports::free()?.to_string();
            writeln!(settings, "{key} = {port}")?;
            ports.insert(shown, port);
        }
        std::fs::write(root.join("pgapp.toml"), settings)?;
        let desk = Self { root, around, bin, ports };
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

    /// A shell with a command, as it would be typed in the checkout.
    fn shell(&self, command: &str) -> Result<Command> {
        let here = self.ports.iter().fold(command.to_owned(), |it, (shown, port)| it.replace(shown, port));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(
            std::iter::once(self.bin.path().to_owned()).chain(std::env::split_paths(&path)),
        )?;
        let target =
            programs::path("pgapp-api")?.ancestors().nth(2).context("find the build folder")?.to_owned();
        // A shell keeps its variables; here each command has a separate shell.
        let kept = self.bin.path().join("variables");
        let keep = match command.split_once("=$(") {
            Some((name, _)) if name.bytes().all(|it| it.is_ascii_uppercase()) => {
                format!("\ndeclare -p {name} >> '{}'", kept.display())
            }
            _ => String::new(),
        };
        let mut shell = Command::new("bash");
        shell
            .args(["-c", &format!("exec 2>&1\n[ ! -e '{0}' ] || source '{0}'\n{here}{keep}", kept.display())])
            .current_dir(&self.root)
            .env("PATH", path)
            .env("CARGO", self.bin.path().join("cargo"))
            .env("CARGO_MANIFEST_DIR", self.root.join("xtask"))
            .env("CARGO_TARGET_DIR", target)
            .env("NO_COLOR", "1")
            .env_remove("PGRST_LOG_LEVEL");
        Ok(shell)
    }

    /// What a command prints, with the ports of the page; `fails` says which end it has to have.
    async fn run(&self, command: &str, fails: bool) -> Result<String> {
        let output = self.shell(command)?.output().await.context("run bash")?;
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        ensure!(output.status.success() != fails, "it ended with {}:\n{text}", output.status);
        Ok(self.ports.iter().fold(text, |it, (shown, port)| it.replace(port, shown)))
    }

    /// Starts a command that stays, and waits until it says that it watches.
    async fn run_beside(&self, command: &str) -> Result<Child> {
        let mut shell = self.shell(&format!("exec {command}"))?;
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = shell.spawn().context("run bash")?;
        let mut lines = BufReader::new(child.stdout.take().context("read its output")?).lines();
        let mut said = String::new();
        while let Some(line) = lines.next_line().await? {
            if line.starts_with("Watching ") {
                // A closed pipe would end it at its next word.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(child);
            }
            writeln!(said, "{line}")?;
        }
        anyhow::bail!("it ended with {}:\n{said}", child.wait().await?)
    }

    /// Types a command; answers with what is wrong.
    async fn check(&self, command: &str, shown: &[String], beside: &mut Vec<Child>) -> Option<String> {
        if let Some(stays) = command.split(" #").next().and_then(|it| it.trim_end().strip_suffix('&')) {
            return match self.run_beside(stays).await {
                Ok(child) => {
                    beside.push(child);
                    None
                }
                Err(error) => Some(format!("{error:#}")),
            };
        }
        let fails = shown.first().is_some_and(|it| it.starts_with("error: "));
        let begin = Instant::now();
        loop {
            let wrong = match self.run(command, fails).await {
                Err(error) => format!("{error:#}"),
                Ok(text) => {
                    let printed: Vec<String> = text.lines().map(str::to_owned).collect();
                    if shown.is_empty() || is_shown(shown, &printed) {
                        return None;
                    }
                    format!("shows\n{}\nbut prints\n{text}", shown.join("\n"))
                }
            };
            // Only what asks may be typed again.
            let may_wait = !beside.is_empty() && command.starts_with("curl ");
            if !may_wait || begin.elapsed() > PATIENCE {
                return Some(wrong);
            }
        }
    }

    /// Leaves nothing of the pages before.
    async fn begin_anew(&self) -> Result<()> {
        self.run("cargo xtask down --volumes", false).await?;
        let app = self.around.path().join("shop");
        if app.exists() {
            std::fs::remove_dir_all(app)?;
        }
        Ok(())
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
            printed.first().is_some_and(|it| is_line(&plain(line), &plain(it)))
                && is_shown(rest, &printed[1..])
        }
    }
}

/// Whether a line is the shown one, in which `…` stands for any text.
fn is_line(shown: &str, printed: &str) -> bool {
    match shown.split_once('…') {
        None => shown == printed,
        Some((begin, rest)) => printed.strip_prefix(begin).is_some_and(|it| {
            it.char_indices().map(|(at, _)| at).chain([it.len()]).any(|at| is_line(rest, &it[at..]))
        }),
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
        let text = std::fs::read_to_string(&page)?;
        if is_on_new_stack(&text) {
            desk.begin_anew().await?;
        }
        for block in blocks(&name, &text)? {
            if let Some(reason) = block.left_out {
                *left_out.entry((block.page, reason)).or_default() += 1;
                continue;
            }
            n_run += 1;
            // What stays ends with its block.
            let mut beside = Vec::new();
            for (command, shown) in &block.commands {
                if let Some(reason) = desk.check(command, shown, &mut beside).await {
                    wrong.push(format!("{}:{}: $ {command}\n{reason}", block.page, block.line));
                }
            }
        }
    }
    desk.run("cargo xtask down --volumes", false).await?;
    for ((page, reason), n_blocks) in &left_out {
        eprintln!("left out: {n_blocks} of {page}: {reason}");
    }
    ensure!(wrong.is_empty(), "{} of the commands do something else:\n\n{}", wrong.len(), wrong.join("\n\n"));
    ensure!(n_run >= 16, "only {n_run} blocks were run");
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
fn dots_stand_for_lines_or_text_and_times_do_not_count() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let shown = lines("   0.0s  backend   native: Postgres 15.18\n   ...\n   1.9s  api       running\nend");
    let printed = lines(
        "   0.1s  backend   docker\n  0.2s  origindb  starting\n  0.9s  x\n   2.1s  api       running\nend",
    );
    assert!(is_shown(&shown, &printed));
    assert!(!is_shown(&shown, &printed[..4]));
    assert!(!is_shown(&lines("a"), &lines("b")));
    assert!(is_shown(
        &lines("ok  a.sql  …\n{\"a\":\"…\",\"b\":…}"),
        &lines("ok  a.sql  25 ms\n{\"a\":\"\",\"b\":1}")
    ));
    assert!(!is_shown(&lines("…_half.sql:4"), &lines("1_half.sql:5")));
}
