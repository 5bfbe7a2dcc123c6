//! Parameter files and checks that need no AWS.

use std::{fs, io::Write, path::Path};

use anyhow::{Context, anyhow};
use deploy::{
    Spec,
    catalog::Definition,
    cloud::Cloud,
    preflight::{self, Findings, Wishes},
    status::StackStatus,
};
use infra_cfn::{
    Template, contract,
    params::{self, GENERATED, ParameterFile},
    template::INLINE_LIMIT,
};

use super::{
    UsageError,
    flags::{Format, Home, Target},
    lint, print,
    select::{House, PIN_FILE, PinFile, read_values},
};

/// Makes parameter files. Nothing that exists is overwritten but a marker of the sample, and no password is made for a stack
/// that exists: the next deployment would change it, and the data knows the old one.
pub(super) async fn init(target: &Target, assume_new: bool) -> anyhow::Result<u8> {
    let house = target.home.open()?;
    let wanted = house.wanted(target)?;
    let dir = house.params_dir_to_be();
    for stack in wanted {
        let path = house.params_path(stack, &dir);
        let folder = path.parent().unwrap_or(&dir);
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let existing = match fs::read_to_string(&path) {
            Ok(text) => {
                Some(ParameterFile::parse(&text).with_context(|| format!("read {}", path.display()))?)
            }
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => None,
            Err(err) => return Err(err).with_context(|| format!("read {}", path.display())),
        };
        let template =
            Template::parse(&stack.text).with_context(|| format!("read {}", stack.template_path))?;
        let sample = match stack.sample {
            Some(text) => {
                ParameterFile::parse(text).with_context(|| format!("read the sample of {}", stack.name))?
            }
            None => beginning(&template, stack),
        };
        let mut made = params::init(&template, &sample, existing.as_ref(), &mut rand::rng())?;
        let stack_name = &stack.stack_name;
        let is_kept = !made.generated.is_empty() && !assume_new && exists(&house, stack_name).await?;
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

/// A parameter file to begin with, for a template without a sample: the passwords that nobody has given.
fn beginning(template: &Template, stack: &Definition) -> ParameterFile {
    let mut file = ParameterFile::default();
    for name in template.secret_parameters() {
        let is_given = stack.parameters.contains_key(name) || stack.shared.contains_key(name);
        if !is_given && template.parameters.get(name).is_some_and(infra_cfn::template::Parameter::is_required)
        {
            file.set(name, GENERATED);
        }
    }
    file
}

/// Whether there is a stack with passwords already. Where no region is configured nothing was deployed from here.
async fn exists(house: &House<'_>, stack_name: &str) -> anyhow::Result<bool> {
    let has_region =
        ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"].iter().any(|it| std::env::var_os(it).is_some());
    let cloud = match house.connect().await {
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

/// Writes down which account and region the parameter files belong to.
pub(super) async fn pin(home: &Home) -> anyhow::Result<u8> {
    let house = home.open()?;
    if house.catalog.is_own() {
        return Err(UsageError::of("write account and region into the file of the stacks, by hand"));
    }
    let path = house.params_dir()?.join(PIN_FILE);
    let caller = house.connect().await?.caller().await?;
    let file = PinFile { account: Some(caller.account.clone()), region: Some(caller.region.clone()) };
    fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&file)?))
        .with_context(|| format!("write {}", path.display()))?;
    let text = format!(
        "{} says: account {} in {}; every other one is refused",
        path.display(),
        caller.account,
        caller.region
    );
    writeln!(anstream::stderr(), "{text}").context("write to stderr")?;
    Ok(0)
}

/// Checks the promises of the templates, and the values of the parameter files; on request what the account says.
pub(super) async fn lint(target: &Target, format: Format, asks_aws: bool) -> anyhow::Result<u8> {
    let house = target.home.open()?;
    let stacks = house.wanted_or_all(target)?;
    let dir = house.params_dir()?;
    let is_wanted = |name: &str| stacks.iter().any(|it| it.name == name);
    let mut problems: Vec<String> = if house.catalog.is_own() {
        lint::own(&house)?
    } else {
        contract::check_all().iter().filter(|it| is_wanted(&it.stack)).map(ToString::to_string).collect()
    };
    let mut specs = Vec::new();
    for stack in &stacks {
        let path = house.params_path(stack, &dir);
        let values = read_values(&path).unwrap_or_else(|err| {
            problems.push(format!("{err:#}"));
            ParameterFile::default()
        });
        let spec = match house.spec(stack, &path, values, &[]) {
            Ok(spec) => spec,
            Err(err) => {
                problems.push(format!("{err:#}"));
                continue;
            }
        };
        if path.exists() || house.catalog.is_own() {
            let of_file = spec.given.problems(&spec.template);
            problems.extend(of_file.iter().map(|it| format!("{}: {it}", spec.params_path)));
        }
        specs.push(spec);
    }
    if asks_aws {
        let found = ahead(&house, &specs).await?;
        for note in &found.notes {
            writeln!(anstream::stderr(), "{note}").context("write to stderr")?;
        }
        problems.extend(found.problems.iter().map(|it| format!("{}: {}. {}", it.stack, it.message, it.hint)));
    }
    if format.json {
        print(&serde_json::to_string_pretty(&problems)?)?;
    } else {
        problems.iter().try_for_each(|it| print(it))?;
        for spec in &specs {
            writeln!(anstream::stderr(), "{}", room(spec)).context("write to stderr")?;
        }
        writeln!(anstream::stderr(), "{} stacks, {} problems", stacks.len(), problems.len())
            .context("write to stderr")?;
    }
    Ok(u8::from(!problems.is_empty()))
}

/// What the account would refuse.
async fn ahead(house: &House<'_>, specs: &[Spec]) -> anyhow::Result<Findings> {
    let cloud = house.connect().await?;
    let caller = cloud.caller().await?;
    let who = format!("account {} in {} as {}", caller.account, caller.region, caller.identity);
    writeln!(anstream::stderr(), "{who}").context("write to stderr")?;
    let mut wishes = Wishes::default();
    for spec in specs {
        let info = cloud.stack(&spec.stack_name).await?;
        let existing = info.filter(|it| it.status != StackStatus::ReviewInProgress);
        wishes.add(spec, existing.as_ref(), &caller, &house.catalog.place.prefix);
    }
    Ok(preflight::look(&cloud, &wishes).await)
}

/// How much of what CloudFormation takes without a bucket is left.
fn room(spec: &Spec) -> String {
    let n_bytes = spec.text.len();
    let percent = INLINE_LIMIT.saturating_sub(n_bytes) * 100 / INLINE_LIMIT;
    format!("{} is sent in {n_bytes} of {INLINE_LIMIT} bytes, {percent} % are left", spec.template_path)
}
