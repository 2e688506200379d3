//! The fingerprints that baselines hold: equal in every release, on every platform.
//!
//! tests/fingerprints.fp1.tsv was written by a second implementation of docs/fingerprint.md, from tokens and
//! values put down by hand. The test hashes them a third time, the long way, and asks the library.

use pglens::sql::{Content, Fingerprint, digest, reference, values};

const GOLDEN: &str = include_str!("fingerprints.fp1.tsv");

#[test]
fn fingerprints_never_change() {
    assert_eq!(Fingerprint::VERSION, "fp1");
    let mut cases = 0;
    for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [sql, tokens, listed, fingerprint, params] = fields.as_slice() else {
            panic!("five fields: {line}")
        };
        let sql = sql.replace("\\n", "\n").replace("\\\\", "\\");
        assert_eq!(hash_of_tokens(tokens), *fingerprint, "the file contradicts the definition: {line}");
        for digest in [digest(sql.as_bytes(), None), reference(sql.as_bytes(), None)] {
            assert_eq!(digest.fingerprint.to_string(), *fingerprint, "{sql}");
            assert_eq!(digest.params.map(|hash| format!("{hash:016x}")).as_deref(), Some(*params), "{sql}");
        }
        let found: Vec<_> = values(sql.as_bytes(), None)
            .into_iter()
            .map(|value| match value.content {
                Content::Text(text) => String::from_utf8(text.into_owned()).unwrap(),
                Content::Null => "\\N".to_owned(),
                Content::Unknown => "unknown".to_owned(),
            })
            .collect();
        let found = if found.is_empty() { "-".to_owned() } else { found.join("|") };
        assert_eq!(found, *listed, "{sql}");
        cases += 1;
    }
    assert!(cases >= 40, "the file is whole");
}

/// The definition, word by word.
fn hash_of_tokens(tokens: &str) -> String {
    let fold = |word: u64, multiplier: u64| {
        let product = u128::from(word) * u128::from(multiplier);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut state = u64::from_le_bytes(*b"pglens:1");
    for token in tokens.split(' ').filter(|token| !token.is_empty()) {
        let mut bytes = token.as_bytes().to_vec();
        bytes.push(0);
        while bytes.len() % 8 != 0 {
            bytes.push(0);
        }
        for chunk in bytes.chunks(8) {
            state = fold(
                state ^ u64::from_le_bytes(chunk.try_into().expect("eight bytes")),
                0x9E37_79B9_7F4A_7C15,
            );
        }
    }
    format!("{:016x}", fold(state, 0xD6E8_FEB8_6659_FD93))
}
