//! CSV (RFC 4180) → records.

/// Reads records of fields. Lines end in LF, CRLF or CR; blank lines are skipped; the first record is the
/// header's. The error says what is wrong and where.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Vec<String>>, String> {
    let text = std::str::from_utf8(body).map_err(|error| format!("parse error (invalid UTF-8: {error})"))?;
    if text.is_empty() {
        return Err("parse error (not enough input) at \"\"".to_owned());
    }
    let mut records = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut record = Vec::new();
        loop {
            let (field, after) = field(rest)?;
            record.push(field);
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => {
                    rest = end_of_line(after)?;
                    break;
                }
            }
        }
        if record != [""] {
            records.push(record);
        }
    }
    Ok(records)
}

fn field(text: &str) -> Result<(String, &str), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n', '\r', '"']).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
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
            None => return Ok((field, rest)),
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
        parse(text.as_bytes()).map_or_else(|error| error, |records| format!("{records:?}"))
    }

    #[test]
    fn records_and_fields() {
        insta::assert_snapshot!(show("a,b\n1,hi\n2,bye"), @r#"[["a", "b"], ["1", "hi"], ["2", "bye"]]"#);
        insta::assert_snapshot!(show("a,b\r\n1,\r\n\r\n\"x,\"\"y\"\"\nz\",2\r\n"), @r#"[["a", "b"], ["1", ""], ["x,\"y\"\nz", "2"]]"#);
        insta::assert_snapshot!(show("a\r1\r"), @r#"[["a"], ["1"]]"#);
        insta::assert_snapshot!(show("a,\n"), @r#"[["a", ""]]"#);
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
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn quoted_fields_come_back(fields in prop::collection::vec("\\PC{1,8}", 1..4)) {
            let line: Vec<_> = fields.iter().map(|it| format!("\"{}\"", it.replace('"', "\"\""))).collect();
            prop_assert_eq!(parse(line.join(",").as_bytes()), Ok(vec![fields]));
        }
    }
}
