//! `up --watch`: what is saved in the application's folder is applied at once.
//!
//! The system tells of changes; what they mean is found out by looking at the folder and the ledger as they are, so that
//! no order of events matters and none can be missed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use app_folder::{AppFolder, Order};
use local_stack::{ApiLauncher, Stack, StackConfig};
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::output;

/// Editors save by several steps within a few milliseconds: the change is over when nothing comes for this long.
const QUIET: Duration = Duration::from_millis(40);

/// Applies what is saved until the future is dropped.
pub(super) async fn run(stack: &Stack, config: &StackConfig, api: &ApiLauncher) -> Result<()> {
    let Some(dir) = config.app.as_deref() else {
        anyhow::bail!(
            "--watch watches an application's folder, and this stack has none; name one with --app"
        );
    };
    let (sender, mut changes) = mpsc::unbounded_channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the folder is an event, too, and would trigger itself forever.
        let is_change = event.as_ref().map_or(true, |it| !it.kind.is_access());
        if is_change {
            let _ = sender.send(());
        }
    })
    .context("watch for changes")?;
    watcher.watch(dir, RecursiveMode::Recursive).with_context(|| format!("watch \"{}\"", dir.display()))?;
    output::note(&format!("Watching {}; Ctrl-C ends the watch, and the stack stays up.", dir.display()));

    let mut conf = read_conf(dir);
    while changes.recv().await.is_some() {
        while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
        let now = read_conf(dir);
        match apply(stack, config, api, now != conf).await {
            Ok(()) => conf = now,
            Err(error) => {
                output::failure(&error);
                output::note("Waiting for the next change.");
            }
        }
    }
    Ok(())
}

/// Brings the databases, and the server where its settings changed, up to the folder.
async fn apply(stack: &Stack, config: &StackConfig, api: &ApiLauncher, is_conf_new: bool) -> Result<()> {
    let started = Instant::now();
    let Some(dir) = config.app.as_deref() else { return Ok(()) };
    let folder = AppFolder::open(dir).map_err(local_stack::Error::from)?;
    let applied = stack.migrate(&folder, Order::Strict).await?;
    if is_conf_new {
        stack.up(config, api).await?;
    }
    if !applied.is_empty() || is_conf_new {
        output::note(&format!("Up to date after {} ms.", started.elapsed().as_millis()));
    }
    Ok(())
}

fn read_conf(dir: &Path) -> Option<String> {
    std::fs::read_to_string(dir.join("pgapp.conf")).ok()
}
