//! `cargo xtask publish`: an image is built, looked at, and pushed.
//!
//! ```text
//! bases pinned ─▶ context scanned ─▶ build ─▶ image checked, scanned ─▶ login ─▶ push ─▶ digest
//! ```
//!
//! Nothing is pushed that was not looked at first. With `--dry-run` everything happens but the last three steps.

mod base;
mod bases;
mod docker;
mod image;
mod inspect;
mod join;
mod labels;
mod layers;
mod registry;
mod scan;
mod sources;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use app_folder::{AppFolder, FolderError};
use serde_json::json;

use crate::cli::{ImageArg, PublishArgs};
use crate::{output, workspace};
use docker::Docker;
use image::{Image, Place};
use registry::Registry;

pub(crate) use sources::scan as scan_sources;

/// Builds one image and pushes it.
pub(crate) fn run(args: &PublishArgs) -> Result<ExitCode> {
    let sh = workspace::shell()?;
    let image = Image::of(args.image);
    let tag = args.tag.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"));
    let registry = args.registry.as_deref().map(|name| Registry::parse(name, tag)).transpose()?;
    let docker = Docker::new(&sh)?;
    if !args.join.is_empty() {
        let Some(registry) = registry else {
            bail!("--join needs --registry: it joins what was pushed there")
        };
        return join::run(&docker, args, &registry, image, tag);
    }
    let destination = match (&registry, args.dry_run) {
        (Some(registry), _) => Some(registry.reference(image.name, tag)),
        (None, true) => None,
        (None, false) => bail!("name a registry with --registry, or try it with --dry-run"),
    };

    let source = labels::Source::of(&sh)?;
    if source.is_dirty && !args.dry_run && !args.allow_dirty {
        bail!(
            "there are uncommitted changes, so the image would match no revision; commit them, or give --allow-dirty"
        );
    }
    let staged = match &args.app {
        Some(_) if args.image != ImageArg::Customdb => {
            bail!("--app is for customdb: the other images hold nothing of an application")
        }
        Some(app) => Some(stage(&sh, app)?),
        None => None,
    };
    let place = Place::of(image, staged.as_ref().map(xshell::TempDir::path));
    let bases = bases::resolve(&docker, image, &args.base)?;
    for base in bases.iter().filter(|it| it.digest.is_none()) {
        if !args.dry_run && !args.allow_unpinned {
            bail!(
                "base image {} has no digest of a registry, since it was made on this machine; give --base {}=NAME@sha256:…, \
                 or --allow-unpinned",
                base.name,
                base.argument
            );
        }
        output::note(&format!("base {} is not pinned: it has no digest of a registry", base.name));
    }

    let mut scan = scan::Scan::new(&sh)?;
    let context = sh.create_temp_dir().context("make a folder for the build context")?;
    output::note("Looking for secrets in the build context ...");
    docker.context(&place, context.path())?;
    scan.folder(context.path(), "build context")?;
    scan.finish()?;

    let labels = labels::of(image, &source, &bases);
    output::note(&format!("Building {} ...", image.name));
    let id = docker.build(image, &place, &bases, &labels, &args.cargo_profile)?;

    output::note("Looking at the image ...");
    let facts = docker.facts(&id)?;
    let saved = sh.create_temp_dir().context("make a folder for the image")?;
    let all = docker.save(&id, saved.path())?;
    let n_base = base_of(image, &bases).map_or(Ok(0), |it| docker.n_layers(it))?;
    let is_release = args.cargo_profile == "release";
    let complaints =
        inspect::complaints(image, &facts, &all.files(all.len()), &all.files(n_base), is_release);
    if !complaints.is_empty() {
        bail!("image {} is not fit to be published:\n  {}", image.name, complaints.join("\n  "));
    }
    let layers = sh.create_temp_dir().context("make a folder for the layers")?;
    all.unpack(&sh, n_base, layers.path())?;
    // Arguments of a build stay in the history for everybody to read, and so does the environment.
    sh.write_file(layers.path().join("history"), &facts.history)?;
    sh.write_file(layers.path().join("environment"), facts.environment.join("\n"))?;
    scan.folder(layers.path(), "image")?;
    scan.finish()?;

    let digest = match (&destination, args.dry_run) {
        (Some(reference), false) => {
            let session = registry::log_in(&sh, registry.as_ref(), args.username.as_deref())?;
            output::note(&format!("Pushing {reference} ..."));
            let pushed = docker.push(&session, &id, reference);
            let hint = || registry.as_ref().map(|it| it.hint(image.name)).unwrap_or_default();
            Some(pushed.with_context(hint)?)
        }
        _ => None,
    };
    report(args, image, &id, facts.size, destination.as_deref(), digest.as_deref(), &labels)?;
    Ok(ExitCode::SUCCESS)
}

/// The custom database's build context with what an application asks for.
fn stage(sh: &xshell::Shell, app: &std::path::Path) -> Result<xshell::TempDir> {
    let folder = AppFolder::open(app).map_err(|it| with_hint(&it))?;
    if folder.packages().map_err(|it| with_hint(&it))?.is_empty() {
        output::note(&format!("{} asks for nothing: this is the plain image", app_folder::packages::FILE));
    }
    let dir = sh.create_temp_dir().context("make a folder for the application's packages")?;
    local_stack::image::stage(&workspace::root(), &folder, dir.path())?;
    Ok(dir)
}

fn with_hint(error: &FolderError) -> anyhow::Error {
    let hint = error.hint().map(|it| format!("\n{it}")).unwrap_or_default();
    anyhow::anyhow!("{error}{hint}")
}

/// The base that the image's last stage stands on.
fn base_of<'a>(image: &Image, bases: &'a [base::Base]) -> Option<&'a str> {
    let argument = image.runtime_base?;
    bases.iter().find(|it| it.argument == argument).map(base::Base::reference)
}

fn report(
    args: &PublishArgs,
    image: &Image,
    id: &str,
    size: u64,
    reference: Option<&str>,
    digest: Option<&str>,
    labels: &[(String, String)],
) -> Result<()> {
    let pinned = digest.and_then(|digest| Some(format!("{}@{digest}", registry::without_tag(reference?))));
    if args.json {
        let labels: serde_json::Map<_, _> =
            labels.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        let value = json!({
            "image": image.name, "id": id, "size_bytes": size, "reference": reference, "digest": digest,
            "pinned": pinned, "pushed": digest.is_some(), "labels": labels,
        });
        output::data(&serde_json::to_string_pretty(&value)?);
        return Ok(());
    }
    output::note(&format!("{} is {} MB", image.name, megabytes(size)));
    match (pinned, reference) {
        (Some(pinned), _) => output::data(&pinned),
        (None, Some(reference)) => output::note(&format!("dry run: {reference} was not pushed")),
        (None, None) => output::note("dry run: nothing was pushed"),
    }
    if digest.is_none() {
        output::data(id);
    }
    Ok(())
}

/// Megabytes of 1,000,000 bytes, as Docker shows them.
fn megabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// Credentials for a registry: of this run only, or the user's own.
struct Session {
    /// Docker's configuration of this run, removed with the credentials in it.
    config: Option<xshell::TempDir>,
}

impl Session {
    /// What docker is told of it.
    fn arguments(&self) -> Vec<std::ffi::OsString> {
        match &self.config {
            Some(config) => vec!["--config".into(), config.path().into()],
            None => Vec::new(),
        }
    }
}
