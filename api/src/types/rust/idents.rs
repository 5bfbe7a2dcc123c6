//! Identifiers of fields and modules.

use crate::types::names::Taken;

/// Words that are no identifiers, in any edition.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];
/// Words that no prefix makes one.
const NEVER: &[&str] = &["self", "Self", "super", "crate", "_"];

/// The identifier of a field, each of a struct another.
pub(super) fn field(name: &str, taken: &mut Taken) -> String {
    escaped(taken.pick(&plain(name)))
}

/// The name of a schema's module, not yet escaped where it is a keyword.
pub(super) fn module(name: &str) -> String {
    let plain = plain(name);
    if KEYWORDS.contains(&&*plain) { format!("{plain}_") } else { plain }
}

fn escaped(name: String) -> String {
    if KEYWORDS.contains(&&*name) { format!("r#{name}") } else { name }
}

fn plain(name: &str) -> String {
    let mut plain: String = name.chars().map(|it| if is_plain(it) { it } else { '_' }).collect();
    if plain.starts_with(|it: char| it.is_ascii_digit()) || plain.is_empty() {
        plain.insert(0, '_');
    }
    if NEVER.contains(&&*plain) {
        plain.push('_');
    }
    plain
}

/// Letters that compile without a warning beside ASCII ones: those of Latin scripts that are in common use.
fn is_plain(it: char) -> bool {
    let is_latin = ('\u{c0}'..='\u{17e}').contains(&it)
        && !['\u{d7}', '\u{f7}', '\u{132}', '\u{133}', '\u{13f}', '\u{140}', '\u{149}'].contains(&it);
    it.is_ascii_alphanumeric() || it == '_' || is_latin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        for (name, expected) in [
            ("order_id", "order_id"),
            ("type", "r#type"),
            ("self", "self_"),
            ("1x", "_1x"),
            ("a b", "a_b"),
            ("ünï", "ünï"),
            ("", "__"),
            ("_", "__"),
            ("日", "__"),
        ] {
            assert_eq!(field(name, &mut Taken::default()), expected);
        }
    }

    #[test]
    fn fields_that_would_have_one_name_get_two() {
        let mut taken = Taken::default();
        assert_eq!(["a b", "a_b", "a-b"].map(|it| field(it, &mut taken)), ["a_b", "a_b2", "a_b3"]);
    }
}
