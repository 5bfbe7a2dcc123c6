//! A body that is read record by record: lines of JSON, or of CSV. Pure.
//!
//! Of the body no more is kept than what was not taken yet; each record knows the line of the body at which it begins.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use super::csv::{self, Dialect};
use super::payload::keys::Objects;
use crate::error::ApiRequestError;

/// What the records of a body are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A JSON object a line. With `chosen`, the request names the columns, and keys are not looked at.
    Lines { chosen: bool },
    /// A header, then rows.
    Csv(Dialect),
}

/// An error, and the line of the body that it is about.
#[derive(Debug, PartialEq)]
pub(crate) struct AtLine(pub(crate) ApiRequestError, pub(crate) u64);

/// Takes a body in pieces.
pub(crate) struct Records {
    format: Format,
    pending: BytesMut,
    /// How much of it was looked at.
    scanned: usize,
    /// Records in it that have ended: where, and at which line they began.
    found: Vec<(usize, u64)>,
    /// Between quotes.
    quoted: bool,
    /// The last byte was a carriage return.
    returned: bool,
    /// The line that the next byte belongs to, and the one that its record began at.
    line: u64,
    begun_at: u64,
    /// The first record of CSV, with its line end.
    header: Option<Bytes>,
    names: Option<Vec<String>>,
    objects: Objects,
}

impl Records {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            pending: BytesMut::new(),
            scanned: 0,
            found: Vec::new(),
            quoted: false,
            returned: false,
            line: 1,
            begun_at: 1,
            header: None,
            names: None,
            objects: Objects::default(),
        }
    }

    /// Takes more of the body.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
        let is_csv = matches!(self.format, Format::Csv(_));
        while self.scanned < self.pending.len() {
            if std::mem::take(&mut self.returned) && self.pending[self.scanned] != b'\n' {
                // A carriage return alone ends a line as well.
                self.line += 1;
                self.end_of_record(self.scanned);
            }
            let rest = &self.pending[self.scanned..];
            let found = match is_csv {
                true => memchr::memchr3(b'"', b'\n', b'\r', rest),
                false => memchr::memchr(b'\n', rest),
            };
            let Some(at) = found else {
                self.scanned = self.pending.len();
                return;
            };
            let byte = rest[at];
            self.scanned += at + 1;
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\r' => self.returned = true,
                _ => {
                    self.line += 1;
                    self.end_of_record(self.scanned);
                }
            }
        }
    }

    fn end_of_record(&mut self, at: usize) {
        if !self.quoted {
            self.found.push((at, self.begun_at));
            self.begun_at = self.line;
        }
    }

    /// Bytes of the records that have ended.
    pub(crate) fn n_ready(&self) -> usize {
        self.found.last().map_or(0, |(end, _)| *end)
    }

    /// Bytes of the record that has not.
    pub(crate) fn n_open(&self) -> usize {
        self.pending.len() - self.n_ready()
    }

    /// The records that have ended; with `all`, also the last one, which only the body's end ends.
    pub(crate) fn take(&mut self, all: bool) -> Result<Batch, AtLine> {
        if all && self.n_open() > 0 {
            self.found.push((self.pending.len(), self.begun_at));
        }
        let n_bytes = self.n_ready();
        let text = self.pending.split_to(n_bytes).freeze();
        self.scanned = self.pending.len();
        let mut records = Vec::with_capacity(self.found.len());
        let mut begin = 0;
        for (end, line) in self.found.drain(..) {
            records.push(Record { text: begin..end, line });
            begin = end;
        }
        // The rest is small, the buffer was large.
        self.pending = BytesMut::from(&*self.pending);
        match self.format {
            Format::Lines { chosen } => self.lines(text, records, chosen),
            Format::Csv(dialect) => self.csv(text, records, dialect),
        }
    }

    fn lines(&mut self, text: Bytes, records: Vec<Record>, chosen: bool) -> Result<Batch, AtLine> {
        let mut kept = Vec::with_capacity(records.len());
        for mut record in records {
            let mut line = &text[record.text.clone()];
            if record.line == 1 {
                line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            }
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            record.text = within(&text, line);
            let broken = |what: &str| AtLine(ApiRequestError::InvalidBody(what.to_owned()), record.line);
            let is_like_the_first = self.objects.add_text(line, chosen);
            match is_like_the_first {
                Some(true) => kept.push(record),
                Some(false) => return Err(broken("All object keys must match")),
                None => return Err(broken("Empty or invalid json")),
            }
        }
        Ok(Batch { format: self.format, header: Bytes::new(), text, records: kept, made: None })
    }

    fn csv(&mut self, text: Bytes, mut records: Vec<Record>, dialect: Dialect) -> Result<Batch, AtLine> {
        if self.header.is_none() {
            let is_blank = |it: &Record| text[it.text.clone()].trim_ascii().is_empty();
            let n_blank = records.iter().take_while(|it| is_blank(it)).count();
            records.drain(..n_blank);
            if records.is_empty() {
                return Ok(Batch { format: self.format, header: Bytes::new(), text, records, made: None });
            }
            self.header = Some(text.slice(records.remove(0).text));
        }
        let header = self.header.clone().unwrap_or_default();
        let mut batch = Batch { format: self.format, header, text, records, made: None };
        let names = match csv::to_json(&batch.raw(0..batch.len()), dialect) {
            Ok(Some((json, names))) => {
                batch.made = Some(json);
                Some(names)
            }
            Ok(None) => None,
            Err(error) => return Err(AtLine(error, self.first_bad(&batch, dialect))),
        };
        match (&self.names, names) {
            (Some(known), Some(names)) if *known != names => {
                let error = "All lines must have same number of fields".to_owned();
                let line = batch.records.first().map_or(1, |it| it.line);
                return Err(AtLine(ApiRequestError::InvalidBody(error), line));
            }
            (None, names) => self.names = names,
            _ => {}
        }
        Ok(batch)
    }

    /// The line of the first record that does not fit those before.
    fn first_bad(&self, batch: &Batch, dialect: Dialect) -> u64 {
        let (mut good, mut bad) = (0, batch.len());
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            match csv::to_json(&batch.raw(0..middle), dialect) {
                Ok(_) => good = middle,
                Err(_) => bad = middle,
            }
        }
        batch.line(good)
    }
}

/// Where a part of a text is in it.
fn within(text: &[u8], part: &[u8]) -> Range<usize> {
    let begin = part.as_ptr() as usize - text.as_ptr() as usize;
    begin..begin + part.len()
}

#[derive(Debug)]
struct Record {
    text: Range<usize>,
    /// From 1.
    line: u64,
}

/// Whole records.
#[derive(Debug)]
pub(crate) struct Batch {
    format: Format,
    header: Bytes,
    text: Bytes,
    records: Vec<Record>,
    /// All of them as JSON, where that was made already.
    made: Option<Bytes>,
}

impl Batch {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The line of the body at which one of them begins.
    pub(crate) fn line(&self, index: usize) -> u64 {
        self.records.get(index).map_or(1, |it| it.line)
    }

    /// Some of them as a separate body, of the same type; lines of JSON as an array.
    pub(crate) fn raw(&self, range: Range<usize>) -> Bytes {
        let records = self.records.get(range).unwrap_or_default();
        let mut raw = BytesMut::new();
        if let Format::Csv(_) = self.format {
            let end = records.last().map_or(0, |it| it.text.end);
            let text = &self.text[records.first().map_or(0, |it| it.text.start)..end];
            raw.reserve(self.header.len() + text.len());
            raw.put_slice(&self.header);
            raw.put_slice(text);
            return raw.freeze();
        }
        raw.reserve(records.iter().map(|it| it.text.len() + 1).sum::<usize>() + 2);
        raw.put_u8(b'[');
        for (index, record) in records.iter().enumerate() {
            raw.put_slice(if index == 0 { b"" } else { b"," });
            raw.put_slice(&self.text[record.text.clone()]);
        }
        raw.put_u8(b']');
        raw.freeze()
    }

    /// Some of them as JSON.
    pub(crate) fn json(&self, range: Range<usize>) -> Result<Bytes, ApiRequestError> {
        if let Some(made) = self.made.as_ref().filter(|_| range == (0..self.len())) {
            return Ok(made.clone());
        }
        let raw = self.raw(range);
        match self.format {
            Format::Lines { .. } => Ok(raw),
            Format::Csv(dialect) => {
                let read = csv::to_json(&raw, dialect)?;
                Ok(read.map_or_else(|| Bytes::from_static(b"[]"), |(json, _)| json))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINES: Format = Format::Lines { chosen: false };
    const CSV: Format = Format::Csv(Dialect::PLAIN);

    /// All of a body that comes in pieces of so many bytes, as JSON, and the lines of its records.
    fn read(format: Format, body: &str, size: usize) -> Result<(String, Vec<u64>), AtLine> {
        let mut records = Records::new(format);
        for piece in body.as_bytes().chunks(size.max(1)) {
            records.push(piece);
        }
        let batch = records.take(true)?;
        // Without any record there is no header, which is an error of the whole body.
        let json = batch.json(0..batch.len()).map_err(|it| AtLine(it, 1))?;
        let lines = (0..batch.len()).map(|it| batch.line(it)).collect();
        Ok((String::from_utf8(json.to_vec()).unwrap(), lines))
    }

    #[test]
    fn records_know_their_lines() {
        let (json, lines) = read(LINES, "{\"a\":1}\n\n {\"a\":2} \r\n{\"a\":3}", 3).unwrap();
        assert_eq!((json.as_str(), lines), (r#"[{"a":1},{"a":2},{"a":3}]"#, vec![1, 3, 4]));
        let (json, lines) = read(CSV, "a,b\r\n1,\"x\ny\"\r\n2,z\r\n", 2).unwrap();
        assert_eq!((json.as_str(), lines), (r#"[{"a":"1","b":"x\ny"},{"a":"2","b":"z"}]"#, vec![2, 4]));
    }

    #[test]
    fn errors_name_the_line() {
        let line = |format, body| read(format, body, 7).unwrap_err().1;
        assert_eq!(line(LINES, "{\"a\":1}\n{\"a\":\n{\"a\":2}\n"), 2);
        assert_eq!(line(LINES, "{\"a\":1}\n{\"a\":1}\n{\"b\":2}\n"), 3);
        assert_eq!(line(LINES, "{\"a\":1},{\"a\":2}\n"), 1);
        assert_eq!(line(LINES, "{\"a\":1}\n[{\"a\":2}]\n"), 2);
        assert_eq!(line(CSV, "a,b\n1,2\n3,4\n5\n6,7\n"), 4);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(body in "[ab,\"\\n\\r{}:1]{0,40}", size in 1..9_usize) {
            for format in [LINES, CSV] {
                let show = |size| format!("{:?}", read(format, &body, size));
                prop_assert_eq!(show(size), show(1000));
            }
        }
    }
}
