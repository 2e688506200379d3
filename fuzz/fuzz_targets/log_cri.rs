//! Any bytes as lines of the kubelet.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod promises;

const SAMPLE: &str =
    "2026-11-23T14:59:01.1Z stderr F 2026-11-23 14:59:16.162 UTC [7] u@d LOG:  duration: 1 ms\n";

fuzz_target!(|bytes: &[u8]| promises::keep(SAMPLE, bytes));
