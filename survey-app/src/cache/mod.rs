//! The cache: where values live ([`store`]) and which of them are still true ([`machine`]).
//!
//! Serves [`crate::scope`]. A cache that is down is a cache that misses; no call here can fail a request.

pub mod machine;
pub mod store;

pub use machine::{Lookup, Machine, ObjectKey, QueryKey};
pub use store::Store;
