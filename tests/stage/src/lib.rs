//! The stage: a real PostgreSQL server on which stories are played, so that pglens is tested on logs that
//! PostgreSQL wrote and not on what we believe it writes.
//!
//! ```text
//! Story ── settings ──▶ Server ── three formats at once ──▶ Logs ──▶ Truth (counted without pglens)
//!    └──── play ──────────┘
//! ```
//!
//! It serves `tests/`, the fixtures (`fixtures/make`) and the benches. It knows nothing of pglens: whatever it
//! counts is a second source.

pub mod relay;
pub mod server;
pub mod story;
pub mod truth;

pub use relay::Relay;
pub use server::{Logs, Server};
pub use story::{STORIES, Story};
pub use truth::Truth;
