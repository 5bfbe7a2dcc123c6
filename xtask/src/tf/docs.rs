//! The tables of inputs and outputs in the READMEs, made from `variables.tf` and `outputs.tf`.
//!
//! The files are formatted by `terraform fmt`, and the project's variables state type and default on one line each, so
//! that lines are enough to read them by; what does not keep to that is an error with its place.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::check::folders;

const BEGIN: &str = "<!-- BEGIN_TF_DOCS -->";
const END: &str = "<!-- END_TF_DOCS -->";

/// A variable or output, attribute by attribute.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    name: String,
    description: Option<String>,
    type_: Option<String>,
    default: Option<String>,
}

/// Writes every table anew.
pub(super) fn write(infra: &Path) -> Result<()> {
    for (readme, expected) in rendered(infra)? {
        std::fs::write(&readme, expected).with_context(|| format!("write {}", readme.display()))?;
    }
    Ok(())
}

/// Fails where a table is not what it should be.
pub(crate) fn check(infra: &Path) -> Result<()> {
    let outdated = outdated(infra)?;
    if outdated.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = outdated.iter().map(|it| it.display().to_string()).collect();
    bail!("tables fell behind; `cargo xtask tf docs` writes them anew: {}", names.join(", "));
}

/// READMEs whose tables are not what they should be.
fn outdated(infra: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for (readme, expected) in rendered(infra)? {
        if read(&readme)? != expected {
            found.push(readme);
        }
    }
    Ok(found)
}

/// Every README with its text as it should be.
fn rendered(infra: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut all = Vec::new();
    for folder in folders(infra)? {
        let readme = folder.join("README.md");
        if !readme.is_file() {
            continue;
        }
        let text = read(&readme)?;
        let parts = text.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
        let Some((head, tail)) = parts else {
            bail!("{} has no place for its tables, from {BEGIN} to {END}", readme.display());
        };
        let tables = tables(
            &blocks_of(&folder, "variables.tf", "variable")?,
            &blocks_of(&folder, "outputs.tf", "output")?,
        )
        .with_context(|| format!("make the tables of {}", readme.display()))?;
        let text = format!("{head}{BEGIN}\n{tables}{END}{tail}");
        all.push((readme, text));
    }
    Ok(all)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn blocks_of(folder: &Path, file: &str, kind: &str) -> Result<Vec<Block>> {
    let path = folder.join(file);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    blocks(&read(&path)?, kind).with_context(|| format!("read {}", path.display()))
}

/// The blocks of one kind, by name.
fn blocks(text: &str, kind: &str) -> Result<Vec<Block>> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let Some(name) = line.strip_prefix(kind).and_then(|it| it.trim().strip_suffix("{")) else { continue };
        let mut block = Block { name: name.trim().trim_matches('"').to_owned(), ..Block::default() };
        for (number, line) in lines.by_ref().take_while(|(_, line)| *line != "}") {
            // Attributes of the block itself; deeper ones belong to blocks in it.
            let Some(line) = line.strip_prefix("  ").filter(|it| !it.starts_with(' ')) else { continue };
            let Some((name, value)) = line.split_once('=') else { continue };
            let place = match name.trim() {
                "description" => &mut block.description,
                "type" => &mut block.type_,
                "default" => &mut block.default,
                _ => continue,
            };
            let value = value.trim();
            if value.ends_with(['{', '[', '(']) || value.starts_with("<<") {
                bail!("line {}: {} has to be stated on one line", number + 1, name.trim());
            }
            *place = Some(value.to_owned());
        }
        found.push(block);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn tables(inputs: &[Block], outputs: &[Block]) -> Result<String> {
    let mut text = String::new();
    if !inputs.is_empty() {
        text.push_str("### Inputs\n\n| name | type | default | description |\n|---|---|---|---|\n");
        for Block { name, type_, default, .. } in inputs {
            let type_ = type_.as_deref().with_context(|| format!("variable \"{name}\" has no type"))?;
            let default = default.as_ref().map_or_else(|| "required".to_owned(), |it| format!("`{it}`"));
            let description = description(inputs, name)?;
            text.push_str(&format!("| {name} | `{type_}` | {default} | {description} |\n"));
        }
    }
    if !outputs.is_empty() {
        if !inputs.is_empty() {
            text.push('\n');
        }
        text.push_str("### Outputs\n\n| name | description |\n|---|---|\n");
        for Block { name, .. } in outputs {
            text.push_str(&format!("| {name} | {} |\n", description(outputs, name)?));
        }
    }
    Ok(text)
}

fn description(blocks: &[Block], name: &str) -> Result<String> {
    let block = blocks.iter().find(|it| it.name == name);
    let text = block.and_then(|it| it.description.as_deref()).map(|it| it.trim_matches('"'));
    match text {
        Some(text) if !text.is_empty() => Ok(text.replace("\\\"", "\"").replace('|', "\\|")),
        _ => bail!("\"{name}\" has no description"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: &str = r#"
variable "name" {
  description = "Prefix of every name."
  type        = string

  validation {
    condition     = length(var.name) > 0
    error_message = "name must not be empty."
  }
}

variable "count_only" {
  description = "Count \"only\"."
  type        = bool
  default     = false
  nullable    = false
}
"#;

    #[test]
    fn tables_list_blocks_by_name() {
        let outputs = blocks("output \"arn\" {\n  description = \"ARN.\"\n  value       = x\n}\n", "output")
            .expect("outputs");
        let text = tables(&blocks(VARIABLES, "variable").expect("variables"), &outputs).expect("tables");
        let expected = "\
### Inputs

| name | type | default | description |
|---|---|---|---|
| count_only | `bool` | `false` | Count \"only\". |
| name | `string` | required | Prefix of every name. |

### Outputs

| name | description |
|---|---|
| arn | ARN. |
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_cannot_be_told_is_an_error_with_its_place() {
        let error = blocks("variable \"a\" {\n  type = object({\n    b = string\n  })\n}\n", "variable")
            .expect_err("two lines");
        assert_eq!(error.to_string(), "line 2: type has to be stated on one line");
        let bare = blocks("variable \"a\" {\n  type = string\n}\n", "variable").expect("a variable");
        let error = tables(&bare, &[]).expect_err("no description");
        assert_eq!(error.to_string(), "\"a\" has no description");
    }

    #[test]
    fn a_readme_that_fell_behind_is_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("a file");
        put("variables.tf", VARIABLES);
        put("main.tf", "");
        put("README.md", &format!("# x\n\n{BEGIN}\n{END}\n\nend\n"));
        assert_eq!(outdated(dir.path()).expect("a look").len(), 1);
        write(dir.path()).expect("tables");
        assert_eq!(outdated(dir.path()).expect("a look"), Vec::<PathBuf>::new());
        let text = read(&dir.path().join("README.md")).expect("the file");
        assert!(text.starts_with("# x\n\n") && text.ends_with("\n\nend\n"), "{text}");
    }

    #[test]
    fn options_that_the_readme_tells_of_exist_and_so_do_the_tests_it_names() {
        let infra = crate::workspace::root().join("infra-tf");
        let readme = read(&infra.join("README.md")).expect("the file");
        let section = |title: &str| {
            let rest = readme.split_once(&format!("\n## {title}\n")).expect("a section").1;
            rest.split("\n## ").next().expect("its text").to_owned()
        };
        let names: Vec<String> = ["", "bootstrap"]
            .iter()
            .flat_map(|folder| blocks_of(&infra.join(folder), "variables.tf", "variable").expect("variables"))
            .map(|it| it.name)
            .collect();
        let options = section("Operations, and the variable of each");
        let rows: Vec<Vec<&str>> =
            options.lines().filter(|it| it.starts_with("| ")).map(|it| it.split('|').collect()).collect();
        assert_eq!(rows.len(), 17, "a heading and one row for each option");
        for row in &rows[1..] {
            for name in row[2].split('`').skip(1).step_by(2).filter(|it| !it.ends_with('/')) {
                assert!(names.iter().any(|it| it == name), "{name} is no variable: {row:?}");
            }
        }
        // "`run` in [module](file)": the run, or the test, is there.
        let tests = section("Tests");
        let mut n_named = 0;
        for (at, _) in tests.match_indices("` in [") {
            let name = tests[..at].rsplit('`').next().expect("a name");
            let file = tests[at..].split_once("](").and_then(|it| it.1.split_once(')')).expect("a link").0;
            let text = read(&infra.join(file)).expect("a test file");
            let is_there =
                text.contains(&format!("run \"{name}\"")) || text.contains(&format!("fn {name}()"));
            assert!(is_there, "{file} has no test {name}");
            n_named += 1;
        }
        assert!(n_named >= 30, "{n_named} tests are named");
    }
}
