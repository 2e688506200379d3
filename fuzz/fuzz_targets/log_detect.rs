//! Any bytes as the beginning of a log: detection never panics, and what it finds reads those bytes.

#![no_main]

use bumpalo::Bump;
use libfuzzer_sys::fuzz_target;
use pglens::log::{Dialect, Entry, Hints, Sink, Skip};
use pglens::units::ByteOffset;

struct Length(u64);

impl<'a> Sink<'a> for Length {
    fn entry(&mut self, entry: Entry<'a>) {
        self.0 += u64::from(entry.len);
    }

    fn skip(&mut self, skip: Skip) {
        self.0 += skip.len;
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(dialect) = Dialect::detect(bytes, &Hints::default()) {
        let mut length = Length(0);
        dialect.reader().read(bytes, ByteOffset(0), &Bump::new(), &mut length);
        assert_eq!(length.0, bytes.len() as u64);
    }
});
