//! Any bytes as SQL: the fast digest says what the reference says, and nothing else panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pglens::sql::{Params, digest, normalise, pretty, reference, shape, tags, values};

fuzz_target!(|bytes: &[u8]| {
    let params = Params::parse(b"parameters: $1 = 'o''ne', $2 = NULL").expect("a list of parameters");
    assert_eq!(digest(bytes, Some(&params)), reference(bytes, Some(&params)));
    let text = normalise(bytes, 4096);
    pretty(&text);
    shape(bytes);
    tags(bytes);
    values(bytes, Some(&params));
    Params::parse(bytes);
});
