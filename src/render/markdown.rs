//! x
use std::io;
use super::Style;
use crate::report::Report;
/// x
pub(super) fn render(_report: &Report, _style: &Style, _out: &mut dyn io::Write) -> io::Result<()> { Ok(()) }
