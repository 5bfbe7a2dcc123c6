//! CSV (RFC 4180) → records.

/// How fields are told apart, and what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Between two fields.
    delimiter: Delimiter,
    /// As RFC 4180 has it, even where PostgREST reads it otherwise.
    pub(super) strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    Is(char),
    /// Whichever stands most often in the header's line.
    Found,
}

/// What may be meant where the caller leaves it to us.
const USUAL: [char; 4] = [',', ';', '\t', '|'];

impl Dialect {
    /// Commas, as PostgREST reads them.
    #[cfg(test)]
    pub(super) const PLAIN: Self = Self { delimiter: Delimiter::Is(','), strict: false };

    /// The dialect that a `Content-Type` asks for by its parameter `delimiter`: a character, its name, or `auto`.
    pub(super) fn new(delimiter: Option<&str>, strict: bool) -> Result<Self, String> {
        let delimiter = match delimiter.unwrap_or("comma") {
            "comma" => Delimiter::Is(','),
            "semicolon" => Delimiter::Is(';'),
            "tab" => Delimiter::Is('\t'),
            "pipe" => Delimiter::Is('|'),
            "auto" => Delimiter::Found,
            text => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(only), None) if !matches!(only, '"' | '\n' | '\r') => Delimiter::Is(only),
                    _ => {
                        let message = "the delimiter of a CSV body must be one character, or comma, semicolon, tab, pipe or auto";
                        return Err(message.to_owned());
                    }
                }
            }
        };
        Ok(Self { delimiter, strict })
    }

    fn delimiter(self, text: &str) -> char {
        match self.delimiter {
            Delimiter::Is(delimiter) => delimiter,
            Delimiter::Found => most_frequent(text),
        }
    }
}

/// The usual delimiter that stands most often outside of quotes in the first line; a comma where there is none.
fn most_frequent(text: &str) -> char {
    let mut counts = [0_usize; USUAL.len()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '\n' | '\r' if !quoted => break,
            _ if quoted => {}
            _ => {
                if let Some(at) = USUAL.iter().position(|it| *it == c) {
                    counts[at] += 1;
                }
            }
        }
    }
    // The first of those that stand equally often.
    let most = counts.iter().max().copied().unwrap_or_default();
    counts.iter().position(|it| *it == most).map_or(',', |at| USUAL[at])
}

/// A field, and whether it stood in quotes.
pub(super) type Field = (String, bool);

/// Reads records of fields. Lines end in LF, CRLF or CR; blank lines are skipped; the first record is the
/// header's. The error says what is wrong and where.
pub(super) fn parse(body: &[u8], dialect: Dialect) -> Result<Vec<Vec<Field>>, String> {
    let text = std::str::from_utf8(body).map_err(|error| format!("parse error (invalid UTF-8: {error})"))?;
    if text.is_empty() {
        return Err("parse error (not enough input) at \"\"".to_owned());
    }
    let delimiter = dialect.delimiter(text);
    let mut records = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut record = Vec::new();
        loop {
            let (field, after) = field(rest, delimiter)?;
            record.push(field);
            match after.strip_prefix(delimiter) {
                Some(next) => rest = next,
                None => {
                    rest = end_of_line(after)?;
                    break;
                }
            }
        }
        let is_blank =
            matches!(&*record, [(text, quoted)] if text.is_empty() && !(*quoted && dialect.strict));
        if !is_blank {
            records.push(record);
        }
    }
    Ok(records)
}

fn field(text: &str, delimiter: char) -> Result<(Field, &str), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([delimiter, '\n', '\r', '"']).unwrap_or(text.len());
        return Ok(((text[..end].to_owned(), false), &text[end..]));
    };
    let mut field = String::new();
    loop {
        let end = rest.find('"').ok_or_else(|| error("not enough input", ""))?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Ok(((field, true), rest)),
        }
    }
}

fn end_of_line(text: &str) -> Result<&str, String> {
    if text.is_empty() {
        return Ok(text);
    }
    text.strip_prefix("\r\n")
        .or_else(|| text.strip_prefix('\n'))
        .or_else(|| text.strip_prefix('\r'))
        .ok_or_else(|| error("endOfInput", text))
}

/// Longest piece of a body that an error repeats.
const SHOWN: usize = 100;

fn error(what: &str, at: &str) -> String {
    match at.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("parse error ({what}) at {} (truncated)", &at[..end]),
        None => format!("parse error ({what}) at {at:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(text: &str) -> String {
        show_as(text, Dialect::PLAIN)
    }

    fn show_as(text: &str, dialect: Dialect) -> String {
        let texts = |record: Vec<Field>| record.into_iter().map(|(text, _)| text).collect::<Vec<_>>();
        parse(text.as_bytes(), dialect).map_or_else(
            |error| error,
            |records| format!("{:?}", records.into_iter().map(texts).collect::<Vec<_>>()),
        )
    }

    #[test]
    fn records_and_fields() {
        insta::assert_snapshot!(show("a,b\n1,hi\n2,bye"), @r#"[["a", "b"], ["1", "hi"], ["2", "bye"]]"#);
        insta::assert_snapshot!(show("a,b\r\n1,\r\n\r\n\"x,\"\"y\"\"\nz\",2\r\n"), @r#"[["a", "b"], ["1", ""], ["x,\"y\"\nz", "2"]]"#);
        insta::assert_snapshot!(show("a\r1\r"), @r#"[["a"], ["1"]]"#);
        insta::assert_snapshot!(show("a,\n"), @r#"[["a", ""]]"#);
    }

    #[test]
    fn delimiters() {
        let show = |text, delimiter| {
            Dialect::new(Some(delimiter), false).map_or_else(|error| error, |dialect| show_as(text, dialect))
        };
        for name in [";", "semicolon", "auto"] {
            assert_eq!(show("a;b\n1,5;\"x;y\"", name), r#"[["a", "b"], ["1,5", "x;y"]]"#, "{name}");
        }
        for name in ["\t", "tab", "auto"] {
            assert_eq!(show("a\tb\n1\t2", name), r#"[["a", "b"], ["1", "2"]]"#, "{name}");
        }
        assert_eq!(show("a|b", "pipe"), r#"[["a", "b"]]"#);
        assert_eq!(show("\"a;b;c\",d\n", "auto"), r#"[["a;b;c", "d"]]"#, "what is quoted does not count");
        assert_eq!(show("a\n1", "auto"), r#"[["a"], ["1"]]"#);
        assert_eq!(show("a§b", "§"), r#"[["a", "b"]]"#);
        for wrong in ["", "\"", "\n", ";;", "colon"] {
            assert!(show("a", wrong).starts_with("the delimiter of a CSV body must be"), "{wrong:?}");
        }
    }

    #[test]
    fn a_quoted_empty_line_is_a_row_where_that_is_asked_for() {
        let strict = Dialect { strict: true, ..Dialect::PLAIN };
        assert_eq!(show_as("a\n\"\"\n\nx\n", strict), r#"[["a"], [""], ["x"]]"#);
        assert_eq!(show("a\n\"\"\n\nx\n"), r#"[["a"], ["x"]]"#);
    }

    #[test]
    fn errors() {
        insta::assert_snapshot!(show(""), @r#"parse error (not enough input) at """#);
        insta::assert_snapshot!(show("a\n\"x"), @r#"parse error (not enough input) at """#);
        insta::assert_snapshot!(show("a\n\"x\"y,z"), @r#"parse error (endOfInput) at "y,z""#);
        insta::assert_snapshot!(show("a\nx\"y"), @r#"parse error (endOfInput) at "\"y""#);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[a,\"\r\n é]{0,32}") {
            let _ = parse(text.as_bytes(), Dialect::PLAIN);
        }

        #[test]
        fn quoted_fields_come_back(fields in prop::collection::vec("\\PC{1,8}", 1..4)) {
            let line: Vec<_> = fields.iter().map(|it| format!("\"{}\"", it.replace('"', "\"\""))).collect();
            let fields: Vec<Field> = fields.into_iter().map(|it| (it, true)).collect();
            prop_assert_eq!(parse(line.join(",").as_bytes(), Dialect::PLAIN), Ok(vec![fields]));
        }
    }
}
