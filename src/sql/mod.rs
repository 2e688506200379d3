//! SQL text: what counts as the same statement, what it is, and what it says about itself.
//!
//! A pure leaf: bytes in, values out. It knows no log, no file and no report, and it cannot fail: every byte
//! string is a statement, if a strange one.

mod canonical;
mod hash;
mod lexer;
mod literal;
mod params;
mod types;
mod words;

pub use hash::Fingerprint;
pub use lexer::{Lexer, Token, TokenKind};
pub use params::{Param, Params};

/// For now.
pub fn reference(sql: &[u8]) -> (Fingerprint, String) {
    let canonical = canonical::canonical(sql);
    let text: Vec<_> = canonical.items.iter().map(|i| String::from_utf8_lossy(i.text).to_string()).collect();
    (canonical.fingerprint(), text.join(" "))
}
