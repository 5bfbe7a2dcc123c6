//! Parameter files and checks that need no AWS.

use std::{fs, io::Write, path::Path};

use anyhow::Context;
use infra_cfn::{
    Template, contract,
    params::{self, ParameterFile},
};

use super::{Look, print};

/// Makes parameter files. Nothing that exists is overwritten but a marker of the sample.
pub(super) fn init(look: &Look) -> anyhow::Result<u8> {
    let dir = look.params_dir();
    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    for stack in look.wanted()? {
        let path = dir.join(format!("{stack}.json"));
        let existing = match fs::read_to_string(&path) {
            Ok(text) => {
                Some(ParameterFile::parse(&text).with_context(|| format!("read {}", path.display()))?)
            }
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => None,
            Err(err) => return Err(err).with_context(|| format!("read {}", path.display())),
        };
        let template = Template::parse(stack.template_text())
            .with_context(|| format!("read {}", stack.template_path()))?;
        let sample = ParameterFile::parse(stack.sample_text())
            .with_context(|| format!("read the sample of {stack}"))?;
        let made = params::init(&template, &sample, existing.as_ref(), &mut rand::rng())?;
        let what = match (&existing, made.generated.len()) {
            (Some(existing), _) if *existing == made.file => "is complete".to_owned(),
            (_, 0) => "is written".to_owned(),
            _ => format!("is written, with a new {}", made.generated.join(", ")),
        };
        write_private(&path, &made.file.to_text())?;
        writeln!(anstream::stderr(), "{} {what}", path.display()).context("write to stderr")?;
    }
    Ok(0)
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let draft = path.with_extension("json.new");
    let write = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

/// Checks the promises of the templates, and the values of the parameter files.
pub(super) fn lint(look: &Look) -> anyhow::Result<u8> {
    let stacks = look.wanted_or_all();
    let selection = look.select(&stacks, &[])?;
    let is_wanted = |name: &str| stacks.iter().any(|it| it.name() == name);
    let mut problems: Vec<String> =
        contract::check_all().iter().filter(|it| is_wanted(&it.stack)).map(ToString::to_string).collect();
    for spec in selection.specs.iter().filter(|it| is_wanted(&it.name) && Path::new(&it.params_path).exists())
    {
        problems.extend(
            spec.given.problems(&spec.template).iter().map(|it| format!("{}: {it}", spec.params_path)),
        );
    }
    if look.json {
        print(&serde_json::to_string_pretty(&problems)?)?;
    } else {
        problems.iter().try_for_each(|it| print(it))?;
        writeln!(anstream::stderr(), "{} stacks, {} problems", stacks.len(), problems.len())
            .context("write to stderr")?;
    }
    Ok(u8::from(!problems.is_empty()))
}
