//! Any texts in any order: a digest that remembers says what the reference says.
//!
//! Texts are separated by line feeds. Each comes several times, so that its statement is learned and the next ones
//! meet its template.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pglens::sql::{Params, Recall, reference};

fuzz_target!(|bytes: &[u8]| {
    let params = Params::parse(b"parameters: $1 = 'o''ne', $2 = NULL").expect("a list of parameters");
    let mut recall = Recall::default();
    for _ in 0..4 {
        for text in bytes.split(|byte| *byte == b'\n') {
            assert_eq!(recall.digest(text, Some(&params)), reference(text, Some(&params)));
            assert_eq!(recall.digest(text, None), reference(text, None));
        }
    }
});
