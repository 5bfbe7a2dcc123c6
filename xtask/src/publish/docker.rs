//! The Docker command line, as far as publishing needs it. Both builders will do.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xshell::{Shell, cmd};

use super::{
    Session,
    base::Base,
    image::{Image, Place},
    inspect::Facts,
    labels,
    layers::Layers,
    registry::without_tag,
};

/// An engine that answers.
pub(super) struct Docker<'a> {
    sh: &'a Shell,
}

impl<'a> Docker<'a> {
    /// Asks for an engine.
    pub(super) fn new(sh: &'a Shell) -> Result<Self> {
        let format = "{{.Server.Version}}";
        let asked =
            cmd!(sh, "docker version --format {format}").quiet().ignore_stdout().ignore_stderr().run();
        asked.context(
            "find a Docker engine (https://docs.docker.com/engine/install/); `docker version` tells more",
        )?;
        Ok(Self { sh })
    }

    /// The shell that commands run in.
    pub(super) fn shell(&self) -> &'a Shell {
        self.sh
    }

    fn inspect(&self, image: &str) -> Result<Value> {
        let sh = self.sh;
        let text = cmd!(sh, "docker image inspect {image}").quiet().ignore_stderr().read()?;
        let mut all: Vec<Value> = serde_json::from_str(&text).context("read what docker says of an image")?;
        all.pop().context("find the image")
    }

    /// Digests under which registries know an image, which is pulled when it is not there.
    pub(super) fn ensure_image(&self, name: &str) -> Result<Vec<String>> {
        let sh = self.sh;
        if self.inspect(name).is_err() {
            let pulled = cmd!(sh, "docker pull --quiet {name}").quiet().ignore_stdout().run();
            pulled.with_context(|| format!("pull the base image {name}"))?;
        }
        Ok(strings(&self.inspect(name)?["RepoDigests"]))
    }

    /// Unpacks into a folder what a build would be sent. The engine itself says so: what else would know its ignore file?
    pub(super) fn context(&self, place: &Place, into: &Path) -> Result<()> {
        let sh = self.sh;
        let folder = sh.create_temp_dir()?;
        let (iid, file) = (folder.path().join("iid"), folder.path().join("Dockerfile"));
        // By file and not by stdin: then the ignore file of the context is obeyed by either builder.
        sh.write_file(&file, "FROM scratch\nCOPY . /\n")?;
        let context = &place.context;
        cmd!(sh, "docker build --quiet --iidfile {iid} --file {file} {context}")
            .quiet()
            .ignore_stdout()
            .ignore_stderr()
            .run()
            .context("pack the build context")?;
        let id = sh.read_file(&iid)?.trim().to_owned();
        let unpacked = self.export(&id, |tar| {
            cmd!(sh, "tar --extract --no-same-owner --file {tar} --directory {into}")
                .quiet()
                .run()
                .map_err(Into::into)
        });
        let _ = cmd!(sh, "docker image rm {id}").quiet().ignore_stdout().ignore_stderr().run();
        unpacked.context("unpack the build context")
    }

    /// Hands over an archive of an image's files.
    fn export<T>(&self, id: &str, read: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let sh = self.sh;
        let folder = sh.create_temp_dir()?;
        let tar = folder.path().join("files.tar");
        // Never started, so the command need not exist; an image from scratch has no command.
        let container = cmd!(sh, "docker create {id} none").quiet().read().context("look into the image")?;
        let exported = cmd!(sh, "docker export --output {tar} {container}").quiet().run();
        let _ = cmd!(sh, "docker rm {container}").quiet().ignore_stdout().ignore_stderr().run();
        exported.context("read the image's files")?;
        read(&tar)
    }

    /// Builds an image and returns its id. The builder's own output goes to stderr.
    pub(super) fn build(
        &self,
        image: &Image,
        place: &Place,
        bases: &[Base],
        labels: &[(String, String)],
        profile: &str,
    ) -> Result<String> {
        let sh = self.sh;
        let folder = sh.create_temp_dir()?;
        let iid = folder.path().join("iid");
        let mut args: Vec<String> = Vec::new();
        for base in bases {
            args.extend(["--build-arg".to_owned(), format!("{}={}", base.argument, base.reference())]);
        }
        if image.is_compiled {
            args.extend(["--build-arg".to_owned(), format!("CARGO_PROFILE={profile}")]);
        }
        // One instruction for all of them: the legacy builder makes a container for each label that stands on its line.
        let labelled = folder.path().join("Dockerfile");
        let text = sh.read_file(&place.dockerfile).with_context(|| format!("read {}", image.dockerfile))?;
        sh.write_file(&labelled, format!("{}\n{}\n", text.trim_end(), labels::instruction(labels)))?;
        let mut command = std::process::Command::new("docker");
        command
            .arg("build")
            .arg("--iidfile")
            .arg(&iid)
            .arg("--file")
            .arg(&labelled)
            .args(&args)
            .arg(&place.context);
        // An attestation would make a list of what is one image, and lists cannot be joined to a list.
        command.env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1");
        // Data goes to stdout, and this is progress.
        command.stdin(std::process::Stdio::null()).stdout(std::io::stderr());
        let status = command.status().context("start docker build")?;
        if !status.success() {
            bail!("docker build of {} failed; its last lines say why", image.name);
        }
        Ok(sh.read_file(&iid)?.trim().to_owned())
    }

    /// What the engine knows of an image.
    pub(super) fn facts(&self, id: &str) -> Result<Facts> {
        let sh = self.sh;
        let inspected = self.inspect(id)?;
        let format = "{{.CreatedBy}}";
        let history = cmd!(sh, "docker history --no-trunc --format {format} {id}").quiet().read()?;
        Ok(Facts {
            user: inspected["Config"]["User"].as_str().unwrap_or_default().to_owned(),
            has_health_check: inspected["Config"]["Healthcheck"]["Test"].is_array(),
            environment: strings(&inspected["Config"]["Env"]),
            size: inspected["Size"].as_u64().unwrap_or(u64::MAX),
            labels: inspected["Config"]["Labels"]
                .as_object()
                .map(|it| it.keys().cloned().collect())
                .unwrap_or_default(),
            history,
        })
    }

    /// An image with its layers, written into a folder.
    pub(super) fn save(&self, id: &str, into: &Path) -> Result<Layers> {
        let sh = self.sh;
        let tar = into.join("image.tar");
        cmd!(sh, "docker save --output {tar} {id}").quiet().run().context("read the image's layers")?;
        cmd!(sh, "tar --extract --file {tar} --directory {into}").quiet().run()?;
        sh.remove_path(&tar)?;
        let manifest = sh.read_file(into.join("manifest.json")).context("read the image's manifest")?;
        let manifest: Value = serde_json::from_str(&manifest).context("read the image's manifest")?;
        Layers::list(sh, strings(&manifest[0]["Layers"]).iter().map(|it| into.join(it)).collect())
    }

    /// How many layers an image has.
    pub(super) fn n_layers(&self, image: &str) -> Result<usize> {
        Ok(strings(&self.inspect(image)?["RootFS"]["Layers"]).len())
    }

    /// Gives an image its name and pushes it; returns the digest by which the registry knows it.
    pub(super) fn push(&self, session: &Session, id: &str, reference: &str) -> Result<String> {
        let sh = self.sh;
        cmd!(sh, "docker tag {id} {reference}").quiet().run().context("name the image")?;
        let config = &session.arguments();
        cmd!(sh, "docker {config...} push --quiet {reference}")
            .quiet()
            .ignore_stdout()
            .run()
            .with_context(|| format!("push {reference}"))?;
        let repository = without_tag(reference);
        let digests = strings(&self.inspect(reference)?["RepoDigests"]);
        let digest = digests.iter().find_map(|it| it.split_once('@').filter(|(repo, _)| *repo == repository));
        digest.map(|(_, digest)| digest.to_owned()).context("find the digest of what was pushed")
    }

    /// Joins tags of one repository, one for each processor, to one tag; returns its digest.
    pub(super) fn join(
        &self,
        session: &Session,
        reference: &str,
        parts: &[String],
        is_loopback: bool,
    ) -> Result<String> {
        let sh = self.sh;
        let config = &session.arguments();
        let insecure: &[&str] = if is_loopback { &["--insecure"] } else { &[] };
        // A list of an earlier, interrupted run would be added to.
        let _ = cmd!(sh, "docker {config...} manifest rm {reference}")
            .quiet()
            .ignore_stdout()
            .ignore_stderr()
            .run();
        cmd!(sh, "docker {config...} manifest create {insecure...} {reference} {parts...}")
            .quiet()
            .ignore_stdout()
            .run()
            .with_context(|| format!("join {}", parts.join(" and ")))?;
        let digest = cmd!(sh, "docker {config...} manifest push {insecure...} --purge {reference}")
            .quiet()
            .read()
            .with_context(|| format!("push {reference}"))?;
        let digest = digest.lines().rev().find_map(|line| line.trim().strip_prefix("sha256:"));
        digest.map(|it| format!("sha256:{it}")).context("find the digest of what was pushed")
    }
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}
