//! A zip whose bytes depend on nothing but its contents.

use std::io::{Cursor, Write as _};

use anyhow::{Context, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A file in the zip.
pub(super) struct Entry<'a> {
    /// Name.
    pub(super) name: &'a str,
    /// Contents.
    pub(super) bytes: &'a [u8],
    /// May be run.
    pub(super) is_program: bool,
}

/// Packs entries in the order given, all of them from the first moment that zip files know (1980-01-01).
pub(super) fn zip(entries: &[Entry<'_>]) -> Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::default())
            .unix_permissions(if entry.is_program { 0o755 } else { 0o644 });
        writer.start_file(entry.name, options).with_context(|| format!("pack {}", entry.name))?;
        writer.write_all(entry.bytes).with_context(|| format!("pack {}", entry.name))?;
    }
    Ok(writer.finish().context("finish the zip")?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn same_contents_give_same_bytes_that_unpack() {
        let entries = [
            Entry { name: "bootstrap", bytes: &[7; 5000], is_program: true },
            Entry { name: "ca.pem", bytes: b"x", is_program: false },
        ];
        let first = zip(&entries).expect("a zip");
        assert_eq!(first, zip(&entries).expect("a zip"));
        assert!(first.len() < 1000, "it is compressed");
        let mut read = zip::ZipArchive::new(Cursor::new(first)).expect("it reads back");
        let mut file = read.by_name("bootstrap").expect("the program");
        assert_eq!(file.unix_mode().map(|it| it & 0o777), Some(0o755));
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("contents");
        assert_eq!(bytes, [7; 5000]);
    }
}
