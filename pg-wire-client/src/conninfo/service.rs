//! Service files: named groups of options, in the user's or the system's file.

use std::path::PathBuf;

use super::keywords::Options;
use super::{ConnInfoError, Surroundings};

/// Fills options from the service that string or environment name.
pub(super) fn apply(options: &mut Options, around: &dyn Surroundings) -> Result<(), ConnInfoError> {
    let named = |option: &str, var| options.get(option).map(Into::into).or_else(|| around.var(var));
    let Some(service) = named("service", "PGSERVICE").filter(|it| !it.is_empty()) else {
        return Ok(());
    };
    let explicit = named("servicefile", "PGSERVICEFILE").map(PathBuf::from);
    let user_file = explicit.clone().or_else(|| around.home().map(|it| it.join(".pg_service.conf")));
    if let Some(path) = user_file {
        match around.read(&path) {
            Ok(text) => {
                if apply_section(&text, &service, &path, options)? {
                    return Ok(());
                }
            }
            Err(_) if explicit.is_some() => {
                return Err(ConnInfoError::Service(format!("service file \"{}\" not found", path.display())));
            }
            Err(_) => {}
        }
    }
    let system = match around.var("PGSYSCONFDIR") {
        Some(dir) => vec![PathBuf::from(dir)],
        None => vec!["/etc/postgresql-common".into(), "/etc/sysconfig/pgsql".into(), "/etc".into()],
    };
    for dir in system {
        let path = dir.join("pg_service.conf");
        if let Ok(text) = around.read(&path)
            && apply_section(&text, &service, &path, options)?
        {
            return Ok(());
        }
    }
    Err(ConnInfoError::Service(format!("definition of service \"{service}\" not found")))
}

/// `false` when the file has no such section.
fn apply_section(
    text: &str,
    service: &str,
    path: &std::path::Path,
    options: &mut Options,
) -> Result<bool, ConnInfoError> {
    let mut found = false;
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            if found {
                break;
            }
            found = section.strip_suffix(']') == Some(service);
            continue;
        }
        if !found {
            continue;
        }
        let malformed = |what: &str| {
            Err(ConnInfoError::Service(format!(
                "{what} in service file \"{}\", line {}",
                path.display(),
                i + 1
            )))
        };
        match line.split_once('=') {
            Some(("service" | "servicefile", _)) => {
                return malformed("nested \"service\" specifications not supported");
            }
            Some((keyword, value)) if options.set_default(keyword, value) => {}
            _ => return malformed("syntax error"),
        }
    }
    Ok(found)
}
