//! The configuration file: `name = value` lines, comments, groups, imports and `$(VARIABLE)`s.
//!
//! The format is that of the `configurator` library, which PostgREST uses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::value::Value;

/// What a file sets, by full name.
pub type Settings = BTreeMap<String, Value>;

/// Imports deeper than this are taken for a circle.
const MAX_IMPORT_DEPTH: usize = 16;

/// Reads a file and everything it imports.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Settings, String> {
    let mut settings = Settings::new();
    import(path, "", env, &mut settings, 0)?;
    Ok(settings)
}

fn import(
    path: &Path,
    prefix: &str,
    env: &dyn Fn(&str) -> Option<String>,
    settings: &mut Settings,
    depth: usize,
) -> Result<(), String> {
    if depth > MAX_IMPORT_DEPTH {
        return Err(format!("{}: imports are nested too deeply", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(|it| format!("{}: {it}", path.display()))?;
    let directives = Parser { text: &text, at: 0 }.file().map_err(|failure| {
        let (line, column) = failure.position(&text);
        format!("{}:{line}:{column}: {}", path.display(), failure.message)
    })?;
    apply(&directives, path, prefix, env, settings, depth)
}

fn apply(
    directives: &[Directive],
    path: &Path,
    prefix: &str,
    env: &dyn Fn(&str) -> Option<String>,
    settings: &mut Settings,
    depth: usize,
) -> Result<(), String> {
    for directive in directives {
        match directive {
            Directive::Bind(name, Value::String(text)) => {
                let text = interpolate(text, prefix, settings, env)
                    .map_err(|it| format!("{}: {name}: {it}", path.display()))?;
                settings.insert(format!("{prefix}{name}"), Value::String(text));
            }
            Directive::Bind(name, value) => {
                settings.insert(format!("{prefix}{name}"), value.clone());
            }
            Directive::Group(name, inner) => {
                apply(inner, path, &format!("{prefix}{name}."), env, settings, depth)?;
            }
            Directive::Import(relative) => {
                let target: PathBuf = path.parent().unwrap_or(Path::new("")).join(relative);
                import(&target, prefix, env, settings, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// Replaces `$(name)` by an earlier setting (innermost group first) or an environment variable, and
/// `$$` by `$`.
fn interpolate(
    text: &str,
    prefix: &str,
    settings: &Settings,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|it| it.split_once(')')) {
            out.push_str(&variable(name, prefix, settings, env)?);
            rest = after;
        } else {
            return Err("a '$' must be written '$$', or start a variable '$(name)'".into());
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn variable(
    name: &str,
    prefix: &str,
    settings: &Settings,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut scope = prefix.trim_end_matches('.');
    loop {
        let full = if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
        match settings.get(&full) {
            Some(Value::String(text)) => return Ok(text.clone()),
            Some(Value::Number(number)) => return Ok(number.to_string()),
            Some(_) => return Err(format!("variable '{name}' is not a string or number")),
            None if scope.is_empty() => break,
            None => scope = scope.rsplit_once('.').map_or("", |(outer, _)| outer),
        }
    }
    env(name).ok_or_else(|| format!("no such variable: '{name}'"))
}

#[derive(Debug, PartialEq)]
enum Directive {
    Bind(String, Value),
    Group(String, Vec<Directive>),
    Import(String),
}

struct Failure {
    at: usize,
    message: String,
}

impl Failure {
    fn position(&self, text: &str) -> (usize, usize) {
        let before = &text[..self.at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

/// A cursor over the text.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, Failure> {
        Err(Failure { at: self.at, message: message.into() })
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|it| !wanted(it)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// White space and comments; across lines or up to the end of the line.
    fn skip(&mut self, across_lines: bool) {
        loop {
            self.take_while(|it| it == ' ' || it == '\t' || (across_lines && it.is_whitespace()));
            // `#;` comments out a whole directive, see `directives`.
            if self.peek() == Some('#') && !(across_lines && self.rest().starts_with("#;")) {
                self.take_while(|it| it != '\n' && it != '\r');
            } else {
                return;
            }
        }
    }

    fn file(mut self) -> Result<Vec<Directive>, Failure> {
        let directives = self.directives()?;
        match self.peek() {
            None => Ok(directives),
            Some(_) => self.fail("expected a setting, such as `db-uri = \"postgresql://\"`"),
        }
    }

    fn directives(&mut self) -> Result<Vec<Directive>, Failure> {
        let mut found = Vec::new();
        loop {
            self.skip(true);
            let commented_out = self.eat("#;");
            if commented_out {
                self.skip(false);
            }
            if !self.peek().is_some_and(char::is_alphabetic) {
                return Ok(found);
            }
            let directive = self.directive()?;
            if !commented_out {
                found.push(directive);
            }
            self.skip(false);
            if !matches!(self.peek(), Some('\n' | '\r')) {
                self.skip(true);
                return Ok(found);
            }
        }
    }

    fn directive(&mut self) -> Result<Directive, Failure> {
        let name = self.name()?;
        self.skip(true);
        if name == "import" {
            return Ok(Directive::Import(self.string()?));
        }
        if self.eat("=") {
            self.skip(true);
            return Ok(Directive::Bind(name, self.value()?));
        }
        if self.eat("{") {
            let inner = self.directives()?;
            if self.eat("}") {
                return Ok(Directive::Group(name, inner));
            }
            return self.fail(format!("expected '}}' at the end of the group '{name}'"));
        }
        self.fail(format!("expected '=' and a value after '{name}'"))
    }

    fn name(&mut self) -> Result<String, Failure> {
        let start = self.at;
        loop {
            if !self.peek().is_some_and(char::is_alphabetic) {
                return self.fail("expected a letter");
            }
            self.take_while(|it| it.is_alphanumeric() || it == '_' || it == '-');
            if !self.eat(".") {
                return Ok(self.text[start..self.at].to_owned());
            }
        }
    }

    fn value(&mut self) -> Result<Value, Failure> {
        for (word, value) in [("on", true), ("off", false), ("true", true), ("false", false)] {
            if self.eat(word) {
                return Ok(Value::Bool(value));
            }
        }
        match self.peek() {
            Some('"') => Ok(Value::String(self.string()?)),
            Some('[') => self.list(),
            Some(it) if it.is_ascii_digit() => self.number(),
            _ => self.fail("expected a value: \"text\" in double quotes, a number, true, false or a [list]"),
        }
    }

    fn number(&mut self) -> Result<Value, Failure> {
        let start = self.at;
        let digits = |it: char| it.is_ascii_digit();
        self.take_while(digits);
        if self.rest().starts_with('.') && self.rest()[1..].starts_with(digits) {
            self.at += 1;
            self.take_while(digits);
        }
        if self.rest().starts_with(['e', 'E']) {
            self.at += 1;
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            self.take_while(digits);
        }
        match self.text[start..self.at].parse() {
            Ok(number) => Ok(Value::Number(number)),
            Err(_) => self.fail("expected a number"),
        }
    }

    fn list(&mut self) -> Result<Value, Failure> {
        self.eat("[");
        let mut items = Vec::new();
        self.skip(true);
        while !self.eat("]") {
            items.push(self.value()?);
            self.skip(true);
            if self.eat(",") {
                self.skip(true);
            } else if self.peek() != Some(']') {
                return self.fail("expected ',' or ']' in the list");
            }
        }
        Ok(Value::List(items))
    }

    fn string(&mut self) -> Result<String, Failure> {
        if !self.eat("\"") {
            return self.fail("expected text in double quotes");
        }
        let mut out = String::new();
        loop {
            out.push_str(self.take_while(|it| it != '"' && it != '\\'));
            if self.eat("\"") {
                return Ok(out);
            }
            if !self.eat("\\") {
                return self.fail("expected a double quote at the end of the text");
            }
            let escaped = match self.peek() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(it @ ('"' | '\\')) => it,
                Some('u') => {
                    self.at += 1;
                    out.push(self.unicode_escape()?);
                    continue;
                }
                _ => return self.fail("expected one of n t r u \" \\ after a backslash"),
            };
            self.at += 1;
            out.push(escaped);
        }
    }

    fn unicode_escape(&mut self) -> Result<char, Failure> {
        let high = self.hex_quad()?;
        let code = if (0xd800..0xdc00).contains(&high) && self.eat("\\u") {
            let low = self.hex_quad()?;
            if !(0xdc00..0xe000).contains(&low) {
                return self.fail("invalid UTF-16 surrogates");
            }
            0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        match char::from_u32(code) {
            Some(it) => Ok(it),
            None => self.fail("invalid UTF-16 surrogates"),
        }
    }

    fn hex_quad(&mut self) -> Result<u32, Failure> {
        match self.rest().get(..4).filter(|it| it.chars().all(|it| it.is_ascii_hexdigit())) {
            Some(hex) => {
                self.at += 4;
                Ok(u32::from_str_radix(hex, 16).expect("four hexadecimal digits"))
            }
            None => self.fail("expected four hexadecimal digits after \\u"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.conf");
        std::fs::write(&path, text).unwrap();
        load(&path, &|name| (name == "HOME_TOWN").then(|| "Ulm".to_owned()))
            .map_err(|it| it.replace(&dir.path().display().to_string(), ""))
    }

    fn text(it: &str) -> Value {
        Value::String(it.into())
    }

    #[test]
    fn reads_every_kind_of_value() {
        let found = parse(
            "# comment\n\na = \"x\" # more\nb=5\n c\t= 1.5e2\nd = true\ne = off\nf = [1, \"y\",\n on]\ng = \"\\\"\\\\\\n\\u00e9\\ud83d\\ude00\"\n",
        )
        .unwrap();
        let expected = [
            ("a", text("x")),
            ("b", Value::Number(5.0)),
            ("c", Value::Number(150.0)),
            ("d", Value::Bool(true)),
            ("e", Value::Bool(false)),
            ("f", Value::List(vec![Value::Number(1.0), text("y"), Value::Bool(true)])),
            ("g", text("\"\\\n\u{e9}\u{1f600}")),
        ];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v)).into());
    }

    #[test]
    fn groups_and_dotted_names_nest() {
        let found = parse("app.settings.x = \"1\"\napp {\n settings {\n y = \"2\"\n }\n}\n").unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["app.settings.x", "app.settings.y"]);
    }

    #[test]
    fn variables_come_from_settings_then_environment() {
        let found = parse("a = \"A\"\nn = 3\ng { b = \"$(a)$(n)$$$(HOME_TOWN)\" }\n").unwrap();
        assert_eq!(found["g.b"], text("A3$Ulm"));
        assert_eq!(
            parse("a = \"$(NOT_THERE)\"").unwrap_err(),
            "/test.conf: a: no such variable: 'NOT_THERE'"
        );
        assert!(parse("a = \"cost: $5\"").unwrap_err().contains("must be written '$$'"));
    }

    #[test]
    fn directive_comment_skips_one_setting() {
        let found = parse("#; a = \"gone\"\nb = 1\n").unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn errors_tell_line_and_column() {
        assert_eq!(
            parse("a = 1\nb = yes\n").unwrap_err(),
            "/test.conf:2:5: expected a value: \"text\" in double quotes, a number, true, false or a [list]"
        );
        assert_eq!(
            parse("a\n= \"x").unwrap_err(),
            "/test.conf:2:5: expected a double quote at the end of the text"
        );
        assert!(parse("a = 1 b = 2").unwrap_err().starts_with("/test.conf:1:7: "));
    }

    #[test]
    fn imports_are_relative_and_cannot_circle() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let main = dir.path().join("main.conf");
        std::fs::write(&main, "import \"sub/other.conf\"\nb = \"$(a)\"\n").unwrap();
        std::fs::write(dir.path().join("sub/other.conf"), "a = \"A\"").unwrap();
        assert_eq!(load(&main, &|_| None).unwrap()["b"], text("A"));
        std::fs::write(&main, "import \"main.conf\"").unwrap();
        assert!(load(&main, &|_| None).unwrap_err().contains("nested too deeply"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(input in "\\PC{0,80}") {
            let _ = Parser { text: &input, at: 0 }.file();
        }
    }
}
