//! The Docker command line: is an engine there, which compose, and the few calls the driver needs.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::error::Error;
use crate::log_window::LogWindow;
use crate::service::ServiceName;

/// An engine that does not answer within this time is not there.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Lines of a failed command that are worth showing.
const SHOWN_LINES: usize = 25;

/// A Docker engine that answers, with a way to run compose files.
#[derive(Debug, Clone)]
pub struct Engine {
    version: String,
    has_plugin: bool,
}

impl Engine {
    /// Looks for an engine and for compose.
    pub async fn find() -> Result<Self, Error> {
        let no = |reason: String| Error::NoDocker { reason };
        let mut version = docker(&["version", "--format", "{{.Server.Version}}"]);
        let answer = match tokio::time::timeout(ANSWER_TIMEOUT, version.output()).await {
            Err(_) => return Err(no(format!("no engine answers within {} s", ANSWER_TIMEOUT.as_secs()))),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(no("the program `docker` is not installed".to_owned()));
            }
            Ok(Err(error)) => return Err(no(error.to_string())),
            Ok(Ok(answer)) if !answer.status.success() => {
                return Err(no(format!("no engine answers: {}", last_lines(&answer, 2))));
            }
            Ok(Ok(answer)) => answer,
        };
        let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        if docker(&["compose", "version"]).output().await.is_ok_and(|it| it.status.success()) {
            return Ok(Self { version, has_plugin: true });
        }
        // Being there has to do: asking it for its version takes the Python program a second.
        let path = std::env::var_os("PATH").unwrap_or_default();
        if std::env::split_paths(&path).any(|dir| dir.join("docker-compose").is_file()) {
            return Ok(Self { version, has_plugin: false });
        }
        Err(no("neither `docker compose` nor `docker-compose` is installed".to_owned()))
    }

    /// Version of the engine.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `docker compose` or `docker-compose`, whichever is there.
    pub(super) fn compose(&self) -> Command {
        let mut command = if self.has_plugin { docker(&["compose"]) } else { Command::new("docker-compose") };
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, handing over its lines; a failure shows the last of them.
    pub(super) async fn run(
        &self,
        mut command: Command,
        doing: &str,
        on_line: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Error> {
        let fail = |output: String| Error::Docker { doing: doing.to_owned(), output };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|it| fail(it.to_string()))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(fail("its output could not be read".to_owned()));
        };
        let (mut out, mut err) = (BufReader::new(stdout).lines(), BufReader::new(stderr).lines());
        let mut kept: Vec<String> = Vec::new();
        let (mut out_open, mut err_open) = (true, true);
        while out_open || err_open {
            let line = tokio::select! {
                line = out.next_line(), if out_open => { out_open = matches!(line, Ok(Some(_))); line }
                line = err.next_line(), if err_open => { err_open = matches!(line, Ok(Some(_))); line }
            };
            if let Ok(Some(line)) = line {
                let line = plain(&line);
                if line.is_empty() {
                    continue;
                }
                on_line(&line);
                kept.push(line);
                if kept.len() > SHOWN_LINES {
                    kept.remove(0);
                }
            }
        }
        let status = child.wait().await.map_err(|it| fail(it.to_string()))?;
        if status.success() { Ok(()) } else { Err(fail(kept.join("\n"))) }
    }

    async fn ask(&self, args: &[&str], doing: &str) -> Result<Output, Error> {
        let fail = |output: String| Error::Docker { doing: doing.to_owned(), output };
        let output = docker(args).output().await.map_err(|it| fail(it.to_string()))?;
        if output.status.success() { Ok(output) } else { Err(fail(last_lines(&output, SHOWN_LINES))) }
    }

    /// Name of a service's container; with `all`, also one that does not run.
    pub(crate) async fn container(
        &self,
        project: &str,
        service: ServiceName,
        all: bool,
    ) -> Result<Option<String>, Error> {
        let project = format!("label=com.docker.compose.project={project}");
        let service = format!("label=com.docker.compose.service={service}");
        let mut args = vec!["ps", "--filter", &project, "--filter", &service, "--format", "{{.Names}}"];
        args.extend(all.then_some("--all"));
        let output = self.ask(&args, "list the containers").await?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().next().map(ToOwned::to_owned))
    }

    /// Whether a project has any volume.
    pub(super) async fn has_volume(&self, project: &str) -> Result<bool, Error> {
        let project = format!("label=com.docker.compose.project={project}");
        let output = self.ask(&["volume", "ls", "--quiet", "--filter", &project], "list the volumes").await?;
        Ok(!output.stdout.trim_ascii().is_empty())
    }

    /// A label of a container; empty where it has none of that name.
    pub(super) async fn label(&self, container: &str, name: &str) -> Result<String, Error> {
        let format = format!("{{{{index .Config.Labels \"{name}\"}}}}");
        let output = self.ask(&["inspect", "--format", &format, container], "inspect the container").await?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Whether the image that a container was made from was built anew since.
    pub(super) async fn is_outdated(&self, container: &str) -> Result<bool, Error> {
        let format = ["inspect", "--format", "{{.Image}} {{.Config.Image}}", container];
        let output = self.ask(&format, "inspect the container").await?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let Some((id, name)) = text.split_once(' ') else { return Ok(false) };
        let image = self.ask(&["image", "inspect", "--format", "{{.Id}}", name], "inspect the image").await?;
        Ok(String::from_utf8_lossy(&image.stdout).trim() != id)
    }

    /// Makes sure that a base image is on this machine, pulling it if need be.
    pub async fn ensure_image(&self, image: &str, on_line: &(dyn Fn(&str) + Sync)) -> Result<(), Error> {
        if self.ask(&["image", "inspect", "--format", "{{.Id}}", image], "inspect the image").await.is_ok() {
            return Ok(());
        }
        match self.run(docker(&["pull", image]), "pull the image", on_line).await {
            Err(Error::Docker { output, .. }) => {
                let reason = output.lines().last().unwrap_or_default().to_owned();
                Err(Error::BaseImage { image: image.to_owned(), reason })
            }
            other => other,
        }
    }

    /// Removes an image, if it is there and nothing else has need of it.
    pub(super) async fn forget_image(&self, image: &str) {
        let _ = self.ask(&["image", "rm", image], "remove the image").await;
    }

    /// Stops a container, giving it time to finish.
    pub(super) async fn stop(&self, container: &str) -> Result<(), Error> {
        self.ask(&["stop", "-t", "30", container], "stop the container").await.map(drop)
    }

    /// What a container printed so far, both streams in their order as far as the engine keeps it.
    pub(super) async fn logs(&self, container: &str, last: Option<usize>) -> Result<Vec<u8>, Error> {
        let tail = last.map_or_else(|| "all".to_owned(), |it| it.to_string());
        let mut output = self.ask(&["logs", "--tail", &tail, container], "read the log").await?;
        output.stdout.append(&mut output.stderr);
        Ok(output.stdout)
    }

    /// A command that prints a container's log.
    pub(crate) fn logs_command(container: &str, window: LogWindow, follow: bool) -> Command {
        let mut command = docker(&["logs"]);
        command.args(window.tail.map(|it| format!("--tail={it}")));
        command.args(window.since.map(|it| format!("--since={it}")));
        command.args(follow.then_some("--follow")).arg(container).kill_on_drop(true);
        command
    }
}

/// A line as it would finally stand on a terminal, without colour: progress bars overwrite themselves.
fn plain(line: &str) -> String {
    let line = line.trim_end().rsplit('\r').next().unwrap_or_default();
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, escape)) = rest.split_once("\x1b[") {
        text.push_str(before);
        rest = escape.trim_start_matches(|it: char| it.is_ascii_digit() || it == ';');
        rest = rest.get(1..).unwrap_or_default();
    }
    text.push_str(rest);
    text.trim_end().to_owned()
}

fn docker(args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(args).stdin(Stdio::null()).current_dir(Path::new("/"));
    command
}

fn last_lines(output: &Output, n: usize) -> String {
    let text =
        String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(n)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_is_made_plain() {
        assert_eq!(plain("\u{1b}[91mdebconf: no\u{1b}[0m"), "debconf: no");
        assert_eq!(plain("Reading 5%\rReading 10%\rReading done\r"), "Reading done");
        assert_eq!(plain("\u{1b}[0m"), "");
        assert_eq!(plain("  indented \u{1b}[1;32mgreen"), "  indented green");
    }
}
