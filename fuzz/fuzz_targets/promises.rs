//! What `pglens::log` promises for any bytes; shared by the `log_*` targets.

use bumpalo::Bump;
use pglens::log::{Dialect, Entry, Hints, Sink, Skip};
use pglens::units::ByteOffset;

/// Everything that was handed over, as text, and where it ended.
#[derive(Default)]
struct Said {
    lines: Vec<String>,
    end: u64,
}

impl<'a> Sink<'a> for Said {
    fn entry(&mut self, entry: Entry<'a>) {
        assert_eq!(entry.at.0, self.end, "entries and skips touch");
        self.end += u64::from(entry.len);
        // Origins are numbered within a chunk.
        self.lines.push(format!("{:?}", Entry { origin: 0, ..entry }));
    }

    fn skip(&mut self, skip: Skip) {
        assert_eq!(skip.at.0, self.end, "entries and skips touch");
        self.end += skip.len;
        self.lines.push(format!("{skip:?}"));
    }
}

/// Reads `bytes` as a log of the kind that `sample` is: no byte is lost, and a cut at the last start of any prefix
/// changes nothing.
pub(crate) fn keep(sample: &str, bytes: &[u8]) {
    let dialect = Dialect::detect(sample.as_bytes(), &Hints::default()).expect("the sample is a log");
    let arena = Bump::new();
    let mut whole = Said::default();
    dialect.reader().read(bytes, ByteOffset(0), &arena, &mut whole);
    assert_eq!(whole.end, bytes.len() as u64, "every byte is in an entry or a skip");

    let middle = &bytes[..bytes.len() / 2];
    for block in [bytes, middle] {
        let Some(cut) = dialect.last_start(block) else { continue };
        assert!(cut > 0 && cut < block.len());
        let mut parts = Said::default();
        let mut reader = dialect.reader();
        reader.read(&bytes[..cut], ByteOffset(0), &arena, &mut parts);
        reader.read(&bytes[cut..], ByteOffset(cut as u64), &arena, &mut parts);
        assert_eq!(parts.lines, whole.lines, "cut at {cut}");
    }
}
