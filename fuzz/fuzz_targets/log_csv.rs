//! Any bytes as csvlog.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod promises;

const SAMPLE: &str = "2026-11-23 14:59:16.162 UTC,\"u\",\"d\",7,\"h:1\",6b032124.598b,5,\"SELECT\",\
2026-11-22 17:06:44 UTC,3/0,0,LOG,00000,\"a\",,,,,,,,,\"psql\",\"client backend\",,-5\n";

fuzz_target!(|bytes: &[u8]| promises::keep(SAMPLE, bytes));
