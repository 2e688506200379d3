//! Any bytes as lines of a syslog daemon.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod promises;

const SAMPLE: &str =
    "Nov 23 15:04:26 vm postgres[7]: [5-1] 2026-11-23 14:59:16.162 UTC [7] u@d LOG:  duration: 1 ms\n";

fuzz_target!(|bytes: &[u8]| promises::keep(SAMPLE, bytes));
