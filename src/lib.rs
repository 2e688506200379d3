//! pglens: from a PostgreSQL log to the statements that an application should not have sent.
//!
//! ```text
//!  input ─▶ chunk ─▶ log ─▶ record ─▶ event ─▶ partial ⊕ partial ─▶ assemble ─▶ report ─▶ render, doctor ─▶ output
//!                                       sql ──────┘  └── finding       └── forecast
//! ```
//!
//! `analyze` runs the first half on all cores; ARCHITECTURE.md is the map.

pub mod units;
mod words;

pub mod log;
pub mod sql;

pub mod record;

pub mod event;

pub mod bounded;

pub mod finding;

pub mod config;
pub mod filter;

pub mod partial;

pub mod chunk;

pub mod input;

pub mod analyze;

pub mod report;

pub mod forecast;

pub mod assemble;

pub mod render;

pub mod doctor;

pub mod output;

pub mod fingerprint_command;
