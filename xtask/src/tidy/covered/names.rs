//! What a user can name, read from generated pages and sources.

use super::super::SourceFile;

/// A name, and the file that it comes from.
pub(super) struct Name {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) place: String,
}

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Setting,
    ErrorCode,
    Flag,
    Parameter,
    Variable,
    Route,
}

impl Kind {
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Setting => "the setting",
            Self::ErrorCode => "the error code",
            Self::Flag => "the flag",
            Self::Parameter => "the template parameter",
            Self::Variable => "the Terraform variable",
            Self::Route => "the route",
        }
    }

    /// How a test may write it.
    pub(super) fn spellings(self, name: &str) -> Vec<String> {
        if self != Self::Setting {
            return vec![name.to_owned()];
        }
        let lower = name.replace('-', "_");
        let upper = lower.to_uppercase();
        vec![name.to_owned(), format!("PGRST_{upper}"), format!("pgrst.{lower}"), upper, lower]
    }
}

/// Routes that are neither a relation nor a function.
const ROUTES: [&str; 4] = ["/live", "/ready", "/metrics", "/animals"];

/// Every name of every kind; a flag that several commands have comes once for each.
pub(super) fn names(files: &[SourceFile]) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for file in files {
        let Some(text) = file.text.as_deref() else { continue };
        let found: Vec<(Kind, String)> = match file.path.as_str() {
            "docs/configuration.md" => settings(text),
            "docs/errors.md" => error_codes(text),
            "infra-tf/variables.tf" => variables(text),
            "api/src/admin.rs" => ROUTES.iter().map(|it| (Kind::Route, (*it).to_owned())).collect(),
            path if path.starts_with("infra-cfn/templates/") && path.ends_with(".yaml") => parameters(text),
            path if path.ends_with(".rs") && path.contains("/src/") => flags(text),
            _ => continue,
        };
        names.extend(found.into_iter().map(|(kind, name)| Name { kind, name, place: file.path.clone() }));
    }
    names
}

fn settings(text: &str) -> Vec<(Kind, String)> {
    let headings = text.lines().filter_map(|it| it.strip_prefix("### "));
    headings.filter(|it| !it.contains(' ')).map(|it| (Kind::Setting, it.to_owned())).collect()
}

fn error_codes(text: &str) -> Vec<(Kind, String)> {
    let rows = text.lines().filter_map(|it| it.strip_prefix("| `")?.split_once('`'));
    // A row such as `08*` is a class, and `PTnnn` a pattern: they are no codes.
    let is_code = |it: &&str| it.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    rows.map(|(code, _)| code).filter(is_code).map(|it| (Kind::ErrorCode, it.to_owned())).collect()
}

fn variables(text: &str) -> Vec<(Kind, String)> {
    let blocks = text.lines().filter_map(|it| it.strip_prefix("variable \"")?.split_once('"'));
    blocks.map(|(name, _)| (Kind::Variable, name.to_owned())).collect()
}

/// Keys of the section `Parameters`, which are indented by two.
fn parameters(text: &str) -> Vec<(Kind, String)> {
    let section = text.lines().skip_while(|it| !it.starts_with("Parameters:")).skip(1);
    let section = section.take_while(|it| it.is_empty() || it.starts_with([' ', '#']));
    let keys = section.filter_map(|it| it.strip_prefix("  ")?.strip_suffix(':'));
    keys.filter(|it| it.chars().all(char::is_alphanumeric))
        .map(|it| (Kind::Parameter, it.to_owned()))
        .collect()
}

/// Fields that clap makes long flags of: by the attribute's `long`, under its name or the field's.
fn flags(text: &str) -> Vec<(Kind, String)> {
    let mut flags = Vec::new();
    for (at, _) in text.match_indices("#[arg(") {
        let Some((attribute, rest)) = text[at..].split_once(")]\n") else { continue };
        let Some(long) =
            attribute.split([',', '(']).map(str::trim).find(|it| *it == "long" || it.starts_with("long ="))
        else {
            continue;
        };
        let name = match long.split_once('"') {
            Some((_, name)) => name.trim_end_matches('"').to_owned(),
            None => {
                let field =
                    rest.lines().map(str::trim).find(|it| !it.starts_with(['#', '/'])).unwrap_or_default();
                let field = field.split(':').next().unwrap_or_default();
                field.rsplit(' ').next().unwrap_or_default().replace('_', "-")
            }
        };
        if !name.is_empty() {
            flags.push((Kind::Flag, format!("--{name}")));
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::file;
    use super::*;

    #[track_caller]
    fn finds(path: &str, text: &str, expected: &[&str]) {
        let found: Vec<String> = names(&[file(path, text)]).into_iter().map(|it| it.name).collect();
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn each_kind_is_read_from_its_place() {
        finds("docs/configuration.md", "### db-uri\n\n### Not a setting\n", &["db-uri"]);
        finds("docs/errors.md", "| code |\n|---|\n| `PGRST001` | 503 |\n| `08*` | 503 |\n", &["PGRST001"]);
        finds("infra-tf/variables.tf", "variable \"region\" {\n}\n", &["region"]);
        let template =
            "Parameters:\n  A:\n    Type: String\n  # b\n  B:\n    Type: String\nResources:\n  C:\n";
        finds("infra-cfn/templates/x.yaml", template, &["A", "B"]);
    }

    #[test]
    fn flags_are_named_by_attribute_or_field() {
        let text = "#[arg(long, value_name = \"NAME\")]\n    pub(crate) env_name: String,\n\
                    #[arg(short)]\n    x: bool,\n#[arg(long = \"to\")]\n    target: String,\n";
        finds("x/src/cli.rs", text, &["--env-name", "--to"]);
    }
}
