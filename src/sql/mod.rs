//! STUB for compiling; replaced by the sql branch.
#![allow(missing_docs, reason = "stub")]
use std::fmt;
#[derive(Debug, Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Fingerprint(pub u64);
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
#[derive(Debug, Copy, Clone)]
pub struct Digest {
    pub fingerprint: Fingerprint,
    pub params: Option<u64>,
    pub rows: u32,
    pub truncated: bool,
    pub has_comments: bool,
}
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum Kind {
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    Copy,
    Ddl,
    Utility,
    Transaction,
    Cursor,
    Other,
}
impl Kind {
    pub const ALL: [Kind; 11] = [
        Kind::Select,
        Kind::Insert,
        Kind::Update,
        Kind::Delete,
        Kind::Merge,
        Kind::Copy,
        Kind::Ddl,
        Kind::Utility,
        Kind::Transaction,
        Kind::Cursor,
        Kind::Other,
    ];
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Select => "select",
            Kind::Insert => "insert",
            Kind::Update => "update",
            Kind::Delete => "delete",
            Kind::Merge => "merge",
            Kind::Copy => "copy",
            Kind::Ddl => "ddl",
            Kind::Utility => "utility",
            Kind::Transaction => "transaction",
            Kind::Cursor => "cursor",
            Kind::Other => "other",
        }
    }
}
#[derive(Debug, Clone)]
pub struct Shape {
    pub kind: Kind,
    pub reads: Vec<String>,
    pub writes: Vec<String>,
    pub locking: bool,
}
pub struct Params<'a>(&'a [u8]);
impl<'a> Params<'a> {
    pub fn parse(d: &'a [u8]) -> Option<Self> {
        Some(Self(d))
    }
}
pub fn digest(sql: &[u8], _p: Option<&Params<'_>>) -> Digest {
    Digest {
        fingerprint: Fingerprint(xxhash_rust::xxh3::xxh3_64(sql)),
        params: Some(1),
        rows: 0,
        truncated: false,
        has_comments: false,
    }
}
pub fn digest_execute(sql: &[u8], _prepare: &[u8]) -> Digest {
    digest(sql, None)
}
pub fn normalise(sql: &[u8], _m: usize) -> String {
    String::from_utf8_lossy(sql).into_owned()
}
pub fn shape(sql: &[u8]) -> Shape {
    Shape {
        kind: if sql.starts_with(b"I") { Kind::Insert } else { Kind::Select },
        reads: vec![],
        writes: vec![],
        locking: false,
    }
}
pub struct Tags;
impl Tags {
    pub fn label(&self) -> Option<String> {
        None
    }
}
pub fn tags(_: &[u8]) -> Tags {
    Tags
}
