//! Any bytes as jsonlog.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod promises;

const SAMPLE: &str = "{\"timestamp\":\"2026-11-23 14:59:16.162 UTC\",\"pid\":1,\"error_severity\":\"LOG\",\"message\":\"a\"}\n";

fuzz_target!(|bytes: &[u8]| promises::keep(SAMPLE, bytes));
