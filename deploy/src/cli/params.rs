//! Parameter files and checks that need no AWS.

use std::{fs, io::Write, path::Path};

use anyhow::{Context, anyhow};
use deploy::{
    Spec,
    cloud::{Cloud, aws::Aws},
    status::StackStatus,
};
use infra_cfn::{
    Template, contract,
    params::{self, ParameterFile},
    template::INLINE_LIMIT,
};

use super::{Look, print};

/// Makes parameter files. Nothing that exists is overwritten but a marker of the sample, and no password is made for a stack
/// that exists: the next deployment would change it, and the data knows the old one.
pub(super) async fn init(look: &Look, assume_new: bool) -> anyhow::Result<u8> {
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
        let mut made = params::init(&template, &sample, existing.as_ref(), &mut rand::rng())?;
        let stack_name = stack.stack_name(&look.prefix);
        let is_kept = !made.generated.is_empty() && !assume_new && exists(&stack_name).await?;
        if is_kept {
            made.generated.iter().for_each(|name| made.file.remove(name));
        }
        let names = made.generated.join(", ");
        let what = match (&existing, names.as_str()) {
            (Some(existing), _) if *existing == made.file => "is complete".to_owned(),
            (_, "") => "is written".to_owned(),
            _ if is_kept => format!("is written without {names}, which {stack_name} has and keeps"),
            _ => format!("is written, with a new {names}"),
        };
        write_private(&path, &made.file.to_text())?;
        writeln!(anstream::stderr(), "{} {what}", path.display()).context("write to stderr")?;
    }
    Ok(0)
}

/// Whether there is a stack with passwords already. Where no region is configured nothing was deployed from here.
async fn exists(stack_name: &str) -> anyhow::Result<bool> {
    let has_region =
        ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"].iter().any(|it| std::env::var_os(it).is_some());
    let cloud = match Aws::connect().await {
        Err(_) if !has_region => return Ok(false),
        other => other?,
    };
    let found = cloud.stack(stack_name).await.map_err(|err| {
        anyhow!("ask whether {stack_name} exists, whose passwords must not change (--assume-new makes them without asking): {err}")
    })?;
    Ok(found.is_some_and(|it| it.status != StackStatus::ReviewInProgress))
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
        for spec in selection.specs.iter().filter(|it| is_wanted(&it.name)) {
            writeln!(anstream::stderr(), "{}", room(spec)).context("write to stderr")?;
        }
        writeln!(anstream::stderr(), "{} stacks, {} problems", stacks.len(), problems.len())
            .context("write to stderr")?;
    }
    Ok(u8::from(!problems.is_empty()))
}

/// How much of what CloudFormation takes without a bucket is left.
fn room(spec: &Spec) -> String {
    let n_bytes = spec.text.len();
    let percent = INLINE_LIMIT.saturating_sub(n_bytes) * 100 / INLINE_LIMIT;
    format!("{} is sent in {n_bytes} of {INLINE_LIMIT} bytes, {percent} % are left", spec.template_path)
}
