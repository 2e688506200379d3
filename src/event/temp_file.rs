//! Temporary files (`log_temp_files`). Source: `storage/file/fd.c` (`ReportTemporaryFileUsage`).

use super::cursor::Cursor;

/// The size of `temporary file: path "base/pgsql_tmp/pgsql_tmp1.0", size 123`.
#[must_use]
pub fn size(message: &[u8]) -> Option<u64> {
    let mut cursor = Cursor::new(message);
    cursor.word("temporary file: path \"")?;
    cursor.until_last("\", size ")?;
    let size = cursor.number()?;
    cursor.rest().is_empty().then_some(size)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes() {
        for (message, expected) in [
            (
                "temporary file: path \"base/pgsql_tmp/pgsql_tmp11046.0.fileset/0.0\", size 1630208",
                Some(1_630_208),
            ),
            ("temporary file: path \"a\", size 1\", size 2", Some(2)),
            ("temporary file: path \"a\", size ", None),
            ("temporary file: path \"a\", size 12 kB", None),
            ("temporary file: path", None),
        ] {
            assert_eq!(size(message.as_bytes()), expected, "{message}");
        }
    }
}
