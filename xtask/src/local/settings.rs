//! What is asked of a local stack: flags, then `--set`, then `pgapp.toml`, then what the stack was set up with.
//!
//! File and `--set` have the same keys, in one table here. Where a flag has the same meaning, it has the same name.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use local_stack::{Anonymous, Backend, LogLevel, SET_BY_STACK, StackConfig, StackName, animals};
use toml::{Table, Value};

use crate::cli::{AnonArg, BackendArg, UpArgs};
use crate::output;

/// Name of the file that is looked for.
const FILE: &str = "pgapp.toml";

/// A setting of the file.
struct Key {
    name: &'static str,
    set: fn(&mut StackConfig, &Value) -> Result<()>,
}

/// Every setting.
const KEYS: &[Key] = &[
    Key { name: "admin-port", set: |it, value| port(value).map(|found| it.admin_port = Some(found)) },
    Key { name: "animals-port", set: |it, value| port(value).map(|found| it.animals_port = Some(found)) },
    Key { name: "anon", set: |it, value| parsed::<Anonymous>(value).map(|found| it.anonymous = found) },
    Key { name: "api-port", set: |it, value| port(value).map(|found| it.api_port = found) },
    Key { name: "backend", set: |it, value| parsed::<Backend>(value).map(|found| it.backend = found) },
    Key { name: "bare", set: |it, value| flag(value).map(|found| it.bare = found) },
    Key { name: "custom-port", set: |it, value| port(value).map(|found| it.custom_port = found) },
    Key {
        name: "data-dir",
        set: |it, value| {
            text(value).and_then(|it| folder(Path::new(it))).map(|found| it.data_dir = Some(found))
        },
    },
    Key { name: "log-level", set: |it, value| parsed::<LogLevel>(value).map(|found| it.log_level = found) },
    Key { name: "origin-port", set: |it, value| port(value).map(|found| it.origin_port = found) },
    Key { name: "release", set: |it, value| flag(value).map(|found| it.release = found) },
    Key { name: "schemas", set: |it, value| names(value).map(|found| it.schemas = found) },
];

/// The settings of a stack that was set up with `recorded`.
pub(super) fn choose(args: &UpArgs, recorded: Option<StackConfig>, name: StackName) -> Result<StackConfig> {
    let mut config = StackConfig { name, ..recorded.unwrap_or_default() };
    if let Some(file) = file(args.config.as_deref())? {
        read(&mut config, &file).with_context(|| format!("read the settings in {}", file.display()))?;
    }
    for setting in &args.set {
        let (key, value) =
            setting.split_once('=').with_context(|| format!("--set {setting}: write KEY=VALUE"))?;
        apply(&mut config, key.trim(), &value_of(value.trim()))
            .with_context(|| format!("--set {setting}"))?;
    }
    flags(args, &mut config)?;
    Ok(config)
}

fn flags(args: &UpArgs, config: &mut StackConfig) -> Result<()> {
    let set = |place: &mut u16, asked: Option<u16>| *place = asked.unwrap_or(*place);
    set(&mut config.api_port, args.api_port);
    set(&mut config.origin_port, args.origin_port);
    set(&mut config.custom_port, args.custom_port);
    config.admin_port = args.admin_port.or(config.admin_port);
    config.bare = args.bare.unwrap_or(config.bare);
    config.release = args.release.unwrap_or(config.release);
    match args.backend {
        None => {}
        Some(BackendArg::Auto) => config.backend = Backend::Auto,
        Some(BackendArg::Native) => config.backend = Backend::Native,
        Some(BackendArg::Docker) => config.backend = Backend::Docker,
    }
    match args.anon {
        None => {}
        Some(AnonArg::Write) => config.anonymous = Anonymous::Write,
        Some(AnonArg::Read) => config.anonymous = Anonymous::Read,
        Some(AnonArg::None) => config.anonymous = Anonymous::None,
    }
    if args.no_animals {
        config.animals_port = None;
    } else if args.animals {
        config.animals_port = args.animals_port.or(config.animals_port).or(Some(animals::DEFAULT_PORT));
    }
    if let Some(dir) = &args.data_dir {
        config.data_dir = Some(folder(dir)?);
    }
    Ok(())
}

/// The file that was named, or the one in this folder.
fn file(named: Option<&Path>) -> Result<Option<PathBuf>> {
    match named {
        Some(file) if file.is_file() => Ok(Some(file.to_owned())),
        Some(file) => bail!("there is no settings file {}", file.display()),
        None => Ok(Some(PathBuf::from(FILE)).filter(|it| it.is_file())),
    }
}

fn read(config: &mut StackConfig, file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let table: Table =
        text.parse().map_err(|error: toml::de::Error| anyhow!("{}", error.to_string().trim_end()))?;
    for (key, value) in &table {
        apply(config, key, value)?;
    }
    Ok(())
}

fn apply(config: &mut StackConfig, key: &str, value: &Value) -> Result<()> {
    match KEYS.iter().find(|it| it.name == key) {
        Some(known) => (known.set)(config, value).with_context(|| format!("set {key}")),
        None => bail!("there is no setting \"{key}\"{}", suggestion(key)),
    }
}

fn suggestion(key: &str) -> String {
    let plain = key.to_lowercase().replace('_', "-");
    let distance = |it: &&Key| strsim::damerau_levenshtein(it.name, &plain);
    match KEYS.iter().min_by_key(distance).filter(|it| distance(it) <= 2.max(it.name.len() / 3)) {
        Some(closest) => format!("; did you mean \"{}\"?", closest.name),
        None => {
            let names: Vec<&str> = KEYS.iter().map(|it| it.name).collect();
            format!("; there are {}", names.join(", "))
        }
    }
}

/// A value as it would stand in the file; what is no value there is text.
fn value_of(text: &str) -> Value {
    let written = format!("it = {text}").parse::<Table>().ok().and_then(|mut it| it.remove("it"));
    written.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("it is text in quotes, and not {value}"))
}

fn parsed<T: std::str::FromStr<Err = String>>(value: &Value) -> Result<T> {
    text(value)?.parse().map_err(|error: String| anyhow!(error))
}

fn port(value: &Value) -> Result<u16> {
    let number = value.as_integer().and_then(|it| u16::try_from(it).ok()).filter(|it| *it != 0);
    number.with_context(|| format!("a port is a number from 1 to 65535, and not {value}"))
}

fn flag(value: &Value) -> Result<bool> {
    value.as_bool().with_context(|| format!("it is true or false, and not {value}"))
}

fn folder(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("find the folder {}", path.display()))
}

/// A list, or names with commas between them.
fn names(value: &Value) -> Result<Vec<String>> {
    let names: Option<Vec<String>> = match value {
        Value::Array(values) => values.iter().map(|it| it.as_str().map(str::to_owned)).collect(),
        Value::String(text) => Some(text.split(',').map(|it| it.trim().to_owned()).collect()),
        _ => None,
    };
    let names =
        names.filter(|it| !it.is_empty() && it.iter().all(|name| !name.is_empty() && !name.contains(',')));
    names.with_context(|| format!("it is a list of names such as [\"api\", \"public\"], and not {value}"))
}

/// Says which variables of the environment the REST server does not see.
pub(super) fn warn_of_variables() {
    for (variable, instead) in SET_BY_STACK {
        if std::env::var_os(variable).is_some() {
            output::note(&format!(
                "{variable} in the environment does not reach the REST server: {instead}."
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command as Asked};
    use clap::Parser;

    fn asked(options: &[&str], recorded: Option<StackConfig>) -> StackConfig {
        let words = ["cargo xtask", "up"].iter().chain(options);
        match Cli::try_parse_from(words).unwrap().command {
            Some(Asked::Up(args)) => choose(&args, recorded, StackName::default()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn refused(options: &[&str]) -> anyhow::Error {
        let words = ["cargo xtask", "up"].iter().chain(options);
        match Cli::try_parse_from(words).unwrap().command {
            Some(Asked::Up(args)) => choose(&args, None, StackName::default()).unwrap_err(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn animals_app_stays_until_removed() {
        let port = |options: &[&str], recorded: Option<u16>| {
            asked(options, Some(StackConfig { animals_port: recorded, ..StackConfig::default() }))
                .animals_port
        };
        assert_eq!(port(&[], None), None);
        assert_eq!(port(&[], Some(3200)), Some(3200));
        assert_eq!(port(&["--animals"], None), Some(3100));
        assert_eq!(port(&["--animals"], Some(3200)), Some(3200));
        assert_eq!(port(&["--animals", "--animals-port", "3300"], Some(3200)), Some(3300));
        assert_eq!(port(&["--no-animals"], Some(3200)), None);
    }

    #[test]
    fn stack_keeps_the_settings_that_a_later_up_does_not_name() {
        let first = [
            "--backend=docker",
            "--api-port=1",
            "--admin-port=2",
            "--origin-port=3",
            "--custom-port=4",
            "--data-dir=/data",
            "--bare",
            "--release",
            "--animals",
            "--animals-port=5",
        ];
        let set_up = asked(&first, None);
        assert_ne!(set_up, StackConfig::default());
        assert_eq!(asked(&[], Some(set_up.clone())), set_up);
        let changed = asked(&["--api-port=7", "--bare=false", "--release=false"], Some(set_up.clone()));
        assert_eq!(changed, StackConfig { api_port: 7, bare: false, release: false, ..set_up });
        assert_eq!(asked(&[], None), StackConfig::default());
    }

    #[test]
    fn a_port_for_an_app_that_is_not_wanted_is_refused() {
        for options in [["--animals-port", "3300"].as_slice(), &["--no-animals", "--animals"]] {
            let words = ["cargo xtask", "up"].iter().chain(options);
            assert!(Cli::try_parse_from(words).is_err(), "{options:?}");
        }
    }

    fn in_folder(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        std::fs::write(&file, text).unwrap();
        (folder, file.display().to_string())
    }

    #[test]
    fn flags_go_before_set_before_the_file_before_what_is_remembered() {
        let (_folder, file) = in_folder(
            "api-port = 4000\nschemas = [\"api\", \"public\"]\nanon = \"read\"\nlog-level = \"warn\"\n",
        );
        let recorded = StackConfig { api_port: 1, origin_port: 2, ..StackConfig::default() };
        let chosen =
            asked(&["--config", &file, "--set", "api-port=4001", "--set", "schemas=v1,v2"], Some(recorded));
        let expected = StackConfig {
            api_port: 4001,
            origin_port: 2,
            schemas: vec!["v1".to_owned(), "v2".to_owned()],
            anonymous: Anonymous::Read,
            log_level: LogLevel::Warn,
            ..StackConfig::default()
        };
        assert_eq!(chosen, expected);
        let chosen =
            asked(&["--config", &file, "--set", "api-port=4001", "--api-port=4002", "--anon=none"], None);
        assert_eq!((chosen.api_port, chosen.anonymous), (4002, Anonymous::None));
    }

    #[test]
    fn every_key_can_be_set() {
        for key in KEYS {
            let value = match key.name {
                "anon" => "none",
                "backend" => "docker",
                "bare" | "release" => "true",
                "data-dir" => "/data",
                "log-level" => "debug",
                "schemas" => "[\"a\"]",
                _ => "7777",
            };
            let mut config = StackConfig::default();
            apply(&mut config, key.name, &value_of(value)).unwrap();
            assert_ne!(config, StackConfig::default(), "{}", key.name);
        }
    }

    #[test]
    fn wrong_settings_are_refused_with_what_was_meant() {
        for (setting, expected) in [
            ("api_port=1", "did you mean \"api-port\"?"),
            ("schema=public", "did you mean \"schemas\"?"),
            ("colour=red", "there are admin-port, animals-port, anon"),
            ("api-port=many", "a port is a number"),
            ("api-port=70000", "a port is a number"),
            ("anon=all", "expected one of write, read, none"),
            ("log-level=loud", "expected one of crit"),
            ("bare=yes", "true or false"),
            ("schemas=", "a list of names"),
            ("api-port", "write KEY=VALUE"),
        ] {
            let error = format!("{:#}", refused(&["--set", setting]));
            assert!(error.contains(expected) && error.contains(setting), "{setting}: {error}");
        }
        let (_folder, file) = in_folder("api-port = 1\nlog_level = \"info\"\n");
        let error = format!("{:#}", refused(&["--config", &file]));
        assert!(error.contains(&file) && error.contains("did you mean \"log-level\"?"), "{error}");
        let (_folder, file) = in_folder("api-port: 1\n");
        let error = format!("{:#}", refused(&["--config", &file]));
        assert!(error.contains("line 1"), "{error}");
        assert!(format!("{:#}", refused(&["--config", "/nonexistent.toml"])).contains("no settings file"));
    }
}
