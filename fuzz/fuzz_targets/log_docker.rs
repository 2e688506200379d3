//! Any bytes as docker's json-file.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod promises;

const SAMPLE: &str =
    "{\"log\":\"2026-11-23 14:59:16.162 UTC [7] u@d LOG:  duration: 1 ms\\n\",\"stream\":\"stderr\"}\n";

fuzz_target!(|bytes: &[u8]| promises::keep(SAMPLE, bytes));
