//! The configuration as text: `--dump-config`, `--example` and the reference page.

use std::fmt::Write as _;

use super::AppConfig;
use super::keys::{self, Key, Kind, Shown};

/// The configuration in the file's format, one setting a line, sorted. Holds secrets.
pub fn dump(conf: &AppConfig) -> String {
    render(conf, |_| false)
}

/// The same without secrets: for eyes other than the operator's own.
pub fn dump_redacted(conf: &AppConfig) -> String {
    render(conf, |name| matches!(name, "jwt-secret" | "db-uri") || name.starts_with("app.settings."))
}

fn render(conf: &AppConfig, hidden: impl Fn(&str) -> bool) -> String {
    let defaults = AppConfig::default();
    let is_shown = |key: &&Key| !key.is_own() || written(key, conf) != written(key, &defaults);
    let settings = keys::all().filter(is_shown).map(|key| (key.name.to_owned(), (key.show)(conf)));
    let app = conf.app_settings.iter().map(|(name, value)| (name.clone(), Shown::Text(value.clone())));
    let mut lines: Vec<String> = settings
        .chain(app)
        .map(|(name, shown)| {
            let value = match shown {
                Shown::Text(text) if hidden(&name) && !text.is_empty() => quote("********"),
                Shown::Text(text) => quote(&text),
                Shown::Bare(text) => text,
            };
            format!("{name} = {value}\n")
        })
        .collect();
    lines.sort_unstable();
    lines.concat()
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A configuration file with every setting at its default, each with what it does.
pub fn example() -> String {
    let defaults = AppConfig::default();
    let mut out = String::from(
        "## Every setting, with its default. Lines that start with `# ` are settings that are off.\n",
    );
    for key in keys::all() {
        let (value, unset) = written(key, &defaults);
        // Writing to a `String` cannot fail.
        let _ = writeln!(out, "\n## {}", key.doc.replace('\n', "\n## "));
        let _ = writeln!(out, "{}{} = {value}", if unset { "# " } else { "" }, key.name);
    }
    out.push_str(
        "\n## Settings for your own use, which SQL reads with current_setting('app.settings.name').\n",
    );
    out.push_str("# app.settings.name = \"value\"\n");
    out
}

/// A setting as it would be written, and whether it is not set.
fn written(key: &Key, conf: &AppConfig) -> (String, bool) {
    match (key.show)(conf) {
        Shown::Text(text) => (quote(&text), text.is_empty()),
        Shown::Bare(text) => (text, false),
    }
}

/// The reference page of all settings, in Markdown.
pub fn reference() -> String {
    let defaults = AppConfig::default();
    let mut out = String::from(REFERENCE_HEAD);
    for key in keys::all() {
        let (value, unset) = written(key, &defaults);
        let kind = match key.kind {
            Kind::String => "string",
            Kind::Int => "integer",
            Kind::Boolean => "boolean",
        };
        let default = if unset { "not set".to_owned() } else { format!("`{value}`") };
        let database = match key.in_database {
            true => format!("`{}`", Key::db_setting(key.name)),
            false => "no".to_owned(),
        };
        let _ = write!(
            out,
            "\n### {}\n\n{}\n\n| | |\n|---|---|\n| Type | {kind} |\n| Default | {default} |\n| Environment | `{}` |\n| In the database | {database} |\n| Reloadable | {} |\n",
            key.name,
            key.doc,
            Key::env_name(key.name),
            if key.reloadable { "yes" } else { "no" },
        );
        if !key.aliases.is_empty() {
            let _ = writeln!(out, "| Also read from | `{}` |", key.aliases.join("`, `"));
        }
    }
    out
}

const REFERENCE_HEAD: &str = "# Configuration

<!-- Generated from the table of settings in api/src/config/keys.rs; a test fails when this page differs.
     Write it anew with: cargo xtask codegen -->

The server runs without any configuration; what it needs to be useful is `db-uri` and `db-anon-role` or `jwt-secret`.

Settings come from three places.
Each overrides the one before:

1. the configuration file, whose path is the server's only argument;
2. environment variables `PGRST_*`: upper case, `_` for `-` and for `.` (`PGAPP_*` for settings that begin with `pgapp-`);
3. the database, unless `db-config` is `false`.

`pgapp-api --dump-config [FILE]` prints what results, secrets included; `pgapp-api --example` prints a file to start from.

Settings that begin with `pgapp-` are those that PostgREST does not have; the dump shows them where they differ from their default.

## The file

```
# a comment
db-uri = \"postgresql://authenticator:secret@localhost/app\"
db-pool = 20
openapi-security-active = true
jwt-secret = \"$(MY_JWT_SECRET)\"   # taken from the environment
app.settings.region = \"eu\"
import \"more.conf\"                # relative to this file
```

Text is written in double quotes, with `\\\"`, `\\\\`, `\\n`, `\\t`, `\\r` and `\\u00e9` as escapes, and `$$` for a dollar sign.
A value that does not fit a number or a boolean counts as not set; a word outside a closed list, such as an unknown `log-level`, stops the start.
A name that is no setting, here or among the variables, has no effect; a warning in the log tells it, with the setting that it resembles.

## In the database

For settings marked so, the value comes from, first match wins:

1. `ALTER ROLE authenticator IN DATABASE app SET pgrst.db_schemas = 'api'` (`pgapp.limited_writes` for `pgapp-limited-writes`);
2. `ALTER ROLE authenticator SET pgrst.db_schemas = 'api'`;
3. the function named by `db-pre-config`, which calls `set_config('pgrst.db_schemas', 'api', true)`.

The same visit reads the settings of the roles that the connection's role may switch to
(`ALTER ROLE web_anon SET statement_timeout = '2s'`); they are applied to every transaction of that role.

## Reloading

`SIGUSR2` or `NOTIFY pgrst, 'reload config'` reads the file and the database again.
Requests under way finish with the configuration they began with.
A configuration that is not valid is logged and dropped: the server goes on with the one it has.
`SIGUSR1` or `NOTIFY pgrst, 'reload schema'` rebuilds the schema cache, after reading the in-database configuration.

## Settings

### app.settings.*

Settings for your own use: SQL reads them with `current_setting('app.settings.name')`.
From the environment: `PGRST_APP_SETTINGS_name`.
Reloadable, not in the database.
";
