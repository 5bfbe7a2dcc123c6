//! CSV (RFC 4180) → fields, and fields → JSON. A field at a time: a body is larger than what is made of it meanwhile.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::{BufMut, Bytes, BytesMut};

use super::limits::MAX_NAMES;
use crate::error::ApiRequestError;

/// As JSON, where each row repeats the names of its columns, a body may grow to so many times its length.
const MAX_GROWTH: usize = 16;
/// Shorter bodies may grow as if they were this long.
const SMALL: usize = 1024 * 1024;
/// After so much of a body its growth is known well enough to make room for the rest.
const SAMPLE: usize = 64 * 1024;

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

/// Rows as a JSON array of objects, with the names of their columns. `None` where there is a header alone.
///
/// The word `NULL` becomes null, everything else a string. Fields beyond the header's are left out; where lines end
/// before it, they all have to end at the same column. Of columns with one name the last counts. A strict dialect
/// takes a quoted `NULL` for that word, and lines of the header's length only.
pub(super) fn to_json(
    body: &[u8],
    dialect: Dialect,
) -> Result<Option<(Bytes, Vec<String>)>, ApiRequestError> {
    let invalid = ApiRequestError::InvalidBody;
    let mut fields = Fields::new(body, dialect).map_err(invalid)?;
    let mut header = Vec::new();
    if !fields.record(MAX_NAMES + 1, &mut header).map_err(invalid)? {
        return Ok(None);
    }
    if header.len() > MAX_NAMES {
        return Err(invalid(format!("A CSV body may have at most {MAX_NAMES} columns")));
    }
    if !fields.line_ended {
        return Err(invalid(error("not enough input", "")));
    }
    let most = MAX_GROWTH * body.len().max(SMALL);
    let mut json = BytesMut::new();
    let mut columns: Option<Columns> = None;
    let mut row = Vec::with_capacity(header.len());
    let mut is_sampled = false;
    // One more than the header's tells a line that is too long.
    let most_fields = header.len() + usize::from(dialect.strict);
    while fields.record(most_fields, &mut row).map_err(invalid)? {
        if dialect.strict && row.len() != header.len() {
            return Err(invalid("All lines must have same number of fields".to_owned()));
        }
        let columns = columns.get_or_insert_with(|| Columns::new(&header[..row.len()]));
        if row.len() != columns.0.len() {
            return Err(invalid("All lines must have same number of fields".to_owned()));
        }
        columns.write(&row, dialect, &mut json);
        if json.len() > most {
            return Err(ApiRequestError::CsvTooLarge(most));
        }
        let n_read = body.len() - fields.rest.len();
        if !is_sampled && n_read >= SAMPLE {
            is_sampled = true;
            // Growing step by step would need it twice for a moment.
            let estimate = json.len() as u64 * fields.rest.len() as u64 / n_read as u64;
            json.reserve(usize::try_from(estimate + estimate / 16).unwrap_or(0).min(most));
        }
    }
    let Some(columns) = columns else { return Ok(None) };
    json.put_u8(b']');
    let names = header.into_iter().take(columns.0.len()).map(|name| name.text.into_owned()).collect();
    Ok(Some((json.freeze(), names)))
}

/// What precedes each column's value: its name, or nothing where a later one has the same name.
struct Columns(Vec<Option<Box<[u8]>>>);

impl Columns {
    fn new(names: &[Field<'_>]) -> Self {
        let mut seen = HashSet::with_capacity(names.len());
        let mut leads: Vec<_> = names
            .iter()
            .rev()
            .map(|name| {
                let name = &name.text;
                seen.insert(name).then(|| {
                    let mut lead = BytesMut::new();
                    string(name, &mut lead);
                    lead.put_u8(b':');
                    lead.to_vec().into_boxed_slice()
                })
            })
            .collect();
        leads.reverse();
        Self(leads)
    }

    fn write(&self, row: &[Field<'_>], dialect: Dialect, json: &mut BytesMut) {
        json.put_u8(if json.is_empty() { b'[' } else { b',' });
        json.put_u8(b'{');
        let mut is_first = true;
        for (lead, value) in self.0.iter().zip(row) {
            let Some(lead) = lead else { continue };
            if !is_first {
                json.put_u8(b',');
            }
            is_first = false;
            json.put_slice(lead);
            let is_null = value.text == "NULL" && !(value.quoted && dialect.strict);
            if is_null { json.put_slice(b"null") } else { string(&value.text, json) }
        }
        json.put_u8(b'}');
    }
}

fn string(text: &str, json: &mut BytesMut) {
    // Writing a text to memory cannot fail.
    let _ = serde_json::to_writer(json.writer(), text);
}

/// Reads fields. Lines end in LF, CRLF or CR; blank lines are skipped; a byte order mark is no part of the first
/// name. Errors say what is wrong and where.
struct Fields<'a> {
    rest: &'a str,
    delimiter: char,
    /// Quotes make a line of one empty field a record.
    strict: bool,
    /// The last record was ended by a line end, and not by the body's.
    line_ended: bool,
}

impl<'a> Fields<'a> {
    fn new(body: &'a [u8], dialect: Dialect) -> Result<Self, String> {
        let text =
            std::str::from_utf8(body).map_err(|error| format!("parse error (invalid UTF-8: {error})"))?;
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        if rest.is_empty() {
            return Err(error("not enough input", ""));
        }
        Ok(Self { rest, delimiter: dialect.delimiter(rest), strict: dialect.strict, line_ended: false })
    }

    /// The first fields of the next record, so many at most; the others are read and dropped. `false` at the end.
    fn record(&mut self, most: usize, fields: &mut Vec<Field<'a>>) -> Result<bool, String> {
        while !self.rest.is_empty() {
            fields.clear();
            let mut n_fields = 0;
            loop {
                let (field, after) = field(self.rest, self.delimiter)?;
                n_fields += 1;
                let is_blank = n_fields == 1 && field.text.is_empty() && !(field.quoted && self.strict);
                if n_fields <= most {
                    fields.push(field);
                }
                match after.strip_prefix(self.delimiter) {
                    Some(next) => self.rest = next,
                    None => {
                        self.rest = end_of_line(after)?;
                        self.line_ended = !after.is_empty();
                        if is_blank {
                            break;
                        }
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }
}

/// A field.
struct Field<'a> {
    text: Cow<'a, str>,
    quoted: bool,
}

/// The field at the front, and what follows it.
fn field(text: &str, delimiter: char) -> Result<(Field<'_>, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = match u8::try_from(delimiter) {
            Ok(byte) if byte.is_ascii() => memchr::memchr3(byte, b'\n', b'\r', text.as_bytes()),
            _ => text.find([delimiter, '\n', '\r']),
        };
        let end = end.unwrap_or(text.len());
        let end = memchr::memchr(b'"', &text.as_bytes()[..end]).unwrap_or(end);
        return Ok((Field { text: Cow::Borrowed(&text[..end]), quoted: false }, &text[end..]));
    };
    let (mut rest, mut field) = (quoted, Cow::Borrowed(""));
    loop {
        let end = rest.find('"').ok_or_else(|| error("not enough input", ""))?;
        match field {
            Cow::Borrowed("") => field = Cow::Borrowed(&rest[..end]),
            _ => field.to_mut().push_str(&rest[..end]),
        }
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(next) => {
                field.to_mut().push('"');
                rest = next;
            }
            None => return Ok((Field { text: field, quoted: true }, rest)),
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

    fn parse(text: &str) -> Result<Vec<Vec<String>>, String> {
        parse_as(text, Dialect::PLAIN)
    }

    fn parse_as(text: &str, dialect: Dialect) -> Result<Vec<Vec<String>>, String> {
        let mut fields = Fields::new(text.as_bytes(), dialect)?;
        let (mut records, mut record) = (Vec::new(), Vec::new());
        while fields.record(usize::MAX, &mut record)? {
            records.push(record.iter().map(|it| it.text.clone().into_owned()).collect());
        }
        Ok(records)
    }

    fn show(text: &str) -> String {
        parse(text).map_or_else(|error| error, |records| format!("{records:?}"))
    }

    fn show_as(text: &str, dialect: Dialect) -> String {
        parse_as(text, dialect).map_or_else(|error| error, |records| format!("{records:?}"))
    }

    fn json(text: &str) -> String {
        json_as(text, Dialect::PLAIN)
    }

    fn json_as(text: &str, dialect: Dialect) -> String {
        match to_json(text.as_bytes(), dialect) {
            Ok(Some((json, names))) => format!("{} {names:?}", String::from_utf8_lossy(&json)),
            Ok(None) => "nothing".to_owned(),
            Err(ApiRequestError::InvalidBody(message)) => message,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn records_and_fields() {
        insta::assert_snapshot!(show("a,b\n1,hi\n2,bye"), @r#"[["a", "b"], ["1", "hi"], ["2", "bye"]]"#);
        insta::assert_snapshot!(show("a,b\r\n1,\r\n\r\n\"x,\"\"y\"\"\nz\",2\r\n"), @r#"[["a", "b"], ["1", ""], ["x,\"y\"\nz", "2"]]"#);
        insta::assert_snapshot!(show("a\r1\r"), @r#"[["a"], ["1"]]"#);
        insta::assert_snapshot!(show("a,\n"), @r#"[["a", ""]]"#);
        insta::assert_snapshot!(show("a\n\"\"\"\"\n\"\"\n\"b\"\"\"\n"), @r#"[["a"], ["\""], ["b\""]]"#);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name() {
        insta::assert_snapshot!(show("\u{feff}a,b\n1,2\n"), @r#"[["a", "b"], ["1", "2"]]"#);
        // Only where it begins the body.
        assert_eq!(parse("\u{feff}\"a\"\n\u{feff}1").unwrap(), [["a"], ["\u{feff}1"]]);
        insta::assert_snapshot!(show("\u{feff}"), @r#"parse error (not enough input) at """#);
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
    fn strict_csv_says_what_it_would_cut() {
        let strict = Dialect { strict: true, ..Dialect::PLAIN };
        assert_eq!(json_as("a,b\nNULL,\"NULL\"\n", strict), r#"[{"a":null,"b":"NULL"}] ["a", "b"]"#);
        for ragged in ["a,b\n1,2,3\n", "a,b\n1\n"] {
            assert_eq!(json_as(ragged, strict), "All lines must have same number of fields", "{ragged}");
        }
    }

    #[test]
    fn errors() {
        insta::assert_snapshot!(show(""), @r#"parse error (not enough input) at """#);
        insta::assert_snapshot!(show("a\n\"x"), @r#"parse error (not enough input) at """#);
        insta::assert_snapshot!(show("a\n\"x\"y,z"), @r#"parse error (endOfInput) at "y,z""#);
        insta::assert_snapshot!(show("a\nx\"y"), @r#"parse error (endOfInput) at "\"y""#);
    }

    #[test]
    fn rows_as_json() {
        insta::assert_snapshot!(json("a,b\nbar,NULL\n\"NULL\",\n"), @r#"[{"a":"bar","b":null},{"a":null,"b":""}] ["a", "b"]"#);
        insta::assert_snapshot!(json("a,b\n1,2,3"), @r#"[{"a":"1","b":"2"}] ["a", "b"]"#);
        insta::assert_snapshot!(json("a,b\n1\n2"), @r#"[{"a":"1"},{"a":"2"}] ["a"]"#);
        insta::assert_snapshot!(json("a,b,a\n1,2,3"), @r#"[{"b":"2","a":"3"}] ["a", "b", "a"]"#);
        insta::assert_snapshot!(json("a,b,a\n1,2"), @r#"[{"a":"1","b":"2"}] ["a", "b"]"#);
        insta::assert_snapshot!(json("a,b\n1,2\n3"), @"All lines must have same number of fields");
    }

    #[test]
    fn a_header_alone_has_no_rows_and_must_end() {
        insta::assert_snapshot!(json("a,b\n"), @"nothing");
        insta::assert_snapshot!(json("a,b\r\n\r\n"), @"nothing");
        insta::assert_snapshot!(json("a,b"), @r#"parse error (not enough input) at """#);
        insta::assert_snapshot!(json("\u{feff}a"), @r#"parse error (not enough input) at """#);
        insta::assert_snapshot!(json("\"a\""), @r#"parse error (not enough input) at """#);
    }

    #[test]
    fn growth_is_bounded() {
        // A name of a kilobyte in each of a hundred thousand rows.
        let long = format!("{}\n{}", "n".repeat(1000), "1\n".repeat(100_000));
        assert_eq!(json(&long), format!("CsvTooLarge({})", MAX_GROWTH * SMALL));
        insta::assert_snapshot!(json(&format!("{}\n", ",".repeat(MAX_NAMES))), @"A CSV body may have at most 1664 columns");
        // What every row has too much is dropped as it comes.
        insta::assert_snapshot!(json(&format!("a\n1{}\n", ",".repeat(100_000))), @r#"[{"a":"1"}] ["a"]"#);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[a,\"\r\n é]{0,32}") {
            let _ = to_json(text.as_bytes(), Dialect::PLAIN);
        }

        #[test]
        fn quoted_fields_come_back(fields in prop::collection::vec("\\PC{1,8}", 1..4)) {
            let line: Vec<_> = fields.iter().map(|it| format!("\"{}\"", it.replace('"', "\"\""))).collect();
            prop_assert_eq!(parse(&line.join(",")), Ok(vec![fields]));
        }
    }
}
