//! gzip with its habits: several members in one file (pigz, logrotate's append), zeros or rubbish after the last one.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::container::at_end;
use crate::chunk::Remarks;

/// All members of a gzip file, one after the other.
pub(super) struct GzipMembers<R> {
    /// `None` at the end.
    member: Option<GzDecoder<R>>,
    remarks: Remarks,
}

impl<R: BufRead> GzipMembers<R> {
    pub(super) fn new(bytes: R, remarks: Remarks) -> Self {
        Self { member: Some(GzDecoder::new(bytes)), remarks }
    }

    /// A member is over: another one, the end, or something that gzip(1) ignores as well.
    fn advance(&mut self) -> io::Result<()> {
        let Some(member) = self.member.take() else { return Ok(()) };
        let mut bytes = member.into_inner();
        if at_end(&mut bytes)? {
            return Ok(());
        }
        let head = bytes.fill_buf()?;
        // One byte of a magic at the edge of the buffer is enough: rubbish seldom begins with 0x1f.
        if head.first() == Some(&0x1f) && head.get(1).is_none_or(|byte| *byte == 0x8b) {
            self.member = Some(GzDecoder::new(bytes));
            return Ok(());
        }
        let (rubbish, zeros) = drain(&mut bytes)?;
        let what = if zeros { "zeros" } else { "bytes that are no gzip" };
        self.remarks.say(format!("{rubbish} {what} after the end of the gzip stream were ignored"));
        Ok(())
    }
}

/// Counts what is left, and whether it is all zeros.
fn drain(bytes: &mut impl BufRead) -> io::Result<(u64, bool)> {
    let (mut count, mut zeros) = (0, true);
    while !at_end(bytes)? {
        let rest = bytes.fill_buf()?;
        zeros &= rest.iter().all(|byte| *byte == 0);
        let len = rest.len();
        count += len as u64;
        bytes.consume(len);
    }
    Ok((count, zeros))
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            match member.read(buffer)? {
                0 => self.advance()?,
                read => return Ok(read),
            }
        }
        Ok(0)
    }
}
