//! Which column of which relation each column of a view shows.
//!
//! The parser has noted it in the target list of the view's rewrite rule, a `pg_node_tree`: nodes are
//! `{NAME :field value …}`, lists `(…)`, and a backslash takes the meaning from the byte that follows.

use super::catalog::{ColumnNumber, Oid};

/// An output column that shows a column unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Number of the view's column.
    pub(crate) column: ColumnNumber,
    /// Table or view it comes from.
    pub(crate) relation: Oid,
    /// Number of the column there.
    pub(crate) relation_column: ColumnNumber,
}

/// Depth of the fields of the outermost `{QUERY …}`, which stands alone in a list.
const QUERY_DEPTH: usize = 2;
/// Depth of the fields of the `{TARGETENTRY …}`s in its target list.
const ENTRY_DEPTH: usize = 4;

/// The origins found in the target list of the outermost query; computed columns have none.
///
/// Sub-selects have target lists too, hence the depth is tracked. Anything unreadable is left out:
/// a view without known origins only lacks relationships.
pub(crate) fn origins(definition: &str) -> Vec<Origin> {
    let mut found = Vec::new();
    let mut entry = Entry::default();
    let mut in_target_list = false;
    let mut field: Option<&str> = None;
    for token in Tokens::of(definition) {
        match token {
            // A nested value ends the field that it belongs to.
            Token::Open(_) => field = None,
            Token::Close(ENTRY_DEPTH) if in_target_list => {
                found.extend(std::mem::take(&mut entry).origin());
            }
            Token::Close(depth) if in_target_list && depth < ENTRY_DEPTH => return found,
            Token::Close(_) => {}
            Token::Word(word, depth) => match field.take() {
                // The word after a field's name is its value, even one that looks like a name.
                Some(name) if in_target_list && depth == ENTRY_DEPTH => entry.set(name, word),
                None if depth == QUERY_DEPTH && word == ":targetList" => in_target_list = true,
                None if word.starts_with(':') => field = Some(word),
                Some(_) | None => {}
            },
        }
    }
    found
}

#[derive(Default)]
struct Entry {
    resno: Option<ColumnNumber>,
    resorigtbl: Option<Oid>,
    resorigcol: Option<ColumnNumber>,
}

impl Entry {
    fn set(&mut self, field: &str, value: &str) {
        match field {
            ":resno" => self.resno = value.parse().ok(),
            ":resorigtbl" => self.resorigtbl = value.parse().ok(),
            ":resorigcol" => self.resorigcol = value.parse().ok(),
            _ => {}
        }
    }

    fn origin(self) -> Option<Origin> {
        let (column, relation, relation_column) = (self.resno?, self.resorigtbl?, self.resorigcol?);
        (relation != 0).then_some(Origin { column, relation, relation_column })
    }
}

/// A bracket or a word of a node tree.
pub(crate) enum Token<'a> {
    /// With the bracket: of a list, or of a node.
    Open(Bracket),
    /// With the depth of what was closed.
    Close(usize),
    /// With the depth it stands at.
    Word(&'a str, usize),
}

/// What a bracket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bracket {
    /// `(`.
    List,
    /// `{`.
    Node,
}

/// The tokens of a node tree, one after the other.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

impl<'a> Tokens<'a> {
    /// Those of this text.
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, position: 0, depth: 0 }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.position).is_some_and(u8::is_ascii_whitespace) {
            self.position += 1;
        }
        let start = self.position;
        match bytes.get(start)? {
            bracket @ (b'(' | b'{') => {
                self.position += 1;
                self.depth += 1;
                Some(Token::Open(if *bracket == b'(' { Bracket::List } else { Bracket::Node }))
            }
            b')' | b'}' => {
                self.position += 1;
                let closed = self.depth;
                self.depth = self.depth.saturating_sub(1);
                Some(Token::Close(closed))
            }
            _ => {
                while let Some(byte) = bytes.get(self.position) {
                    match byte {
                        b'\\' => self.position += 2,
                        b'(' | b')' | b'{' | b'}' => break,
                        it if it.is_ascii_whitespace() => break,
                        _ => self.position += 1,
                    }
                }
                let mut end = self.position.min(bytes.len());
                // Skipping two bytes may have ended inside of a character.
                while !self.text.is_char_boundary(end) {
                    end += 1;
                }
                self.position = end;
                Some(Token::Word(&self.text[start..end], self.depth))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(definition: &str, expected: &[(ColumnNumber, Oid, ColumnNumber)]) {
        let found: Vec<_> =
            origins(definition).iter().map(|it| (it.column, it.relation, it.relation_column)).collect();
        assert_eq!(found, expected, "{definition}");
    }

    const ENTRY: &str = "{TARGETENTRY :expr {VAR :varno 1 :varattno 2} :resno 1 :resname id :ressortgroupref 0 \
                         :resorigtbl 16385 :resorigcol 2 :resjunk false}";

    #[test]
    fn origins_of_target_list_are_found() {
        check(
            &format!("({{QUERY :commandType 1 :targetList ({ENTRY}) :override 0 :sortClause <>}})"),
            &[(1, 16385, 2)],
        );
    }

    #[test]
    fn origins_of_computed_columns_are_left_out() {
        check(
            "({QUERY :targetList ({TARGETENTRY :expr {CONST :constvalue 4 [ 1 0 0 0 ]} :resno 1 :resname one \
             :resorigtbl 0 :resorigcol 0}) :override 0})",
            &[],
        );
    }

    #[test]
    fn origins_of_sub_selects_are_left_out() {
        check(
            &format!(
                "({{QUERY :rtable ({{RTE :subquery {{QUERY :targetList ({ENTRY})}}}}) :targetList \
                 ({{TARGETENTRY :expr {{SUBLINK :subselect {{QUERY :targetList ({ENTRY})}}}} :resno 3 \
                 :resorigtbl 0 :resorigcol 0}} {{TARGETENTRY :expr {{VAR :varno 1}} :resno 4 :resname x \
                 :resorigtbl 7 :resorigcol 1}}) :returningList ({ENTRY})}})"
            ),
            &[(4, 7, 1)],
        );
    }

    #[test]
    fn origins_are_not_confused_by_column_names() {
        check(
            "({QUERY :targetList ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname :resorigtbl :resorigtbl 5 \
             :resorigcol 6} {TARGETENTRY :expr {VAR :varno 1} :resno 2 :resname a\\ :resno\\ \\(9\\ \\} \
             :resorigtbl 5 :resorigcol 7} {TARGETENTRY :expr {VAR :varno 1} :resno 3 :resname \\é\\\u{1F600} \
             :resorigtbl 5 :resorigcol 8}) :override 0})",
            &[(1, 5, 6), (2, 5, 7), (3, 5, 8)],
        );
    }

    #[test]
    fn origins_of_unreadable_text_are_none() {
        for text in ["", "<>", "((((", "))))", "({QUERY :targetList", "({QUERY :targetList <>})", "\\"] {
            check(text, &[]);
        }
    }
}
