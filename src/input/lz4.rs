//! lz4 frames, one after the other. `lz4_flex` takes an end of input between two blocks for the end of a frame;
//! here that is the truncation that it is.

use std::io::{self, BufRead, ErrorKind, Read};

use lz4_flex::frame::FrameDecoder;

use super::container::at_end;

/// All frames of an lz4 file.
pub(super) struct Lz4Frames<R: Read> {
    /// A decoder of its own for each frame: block sizes differ. `None` at the end.
    frame: Option<FrameDecoder<Tail<R>>>,
    /// The old format, whose frames end with the input; unknown before the first byte.
    legacy: Option<bool>,
}

impl<R: BufRead> Lz4Frames<R> {
    pub(super) fn new(bytes: R) -> Self {
        Self { frame: Some(FrameDecoder::new(Tail { bytes, last: [0xff; 8] })), legacy: None }
    }

    /// A frame is over: another one, the end, or an end too early.
    fn advance(&mut self) -> io::Result<()> {
        let Some(frame) = self.frame.take() else { return Ok(()) };
        let mut tail = frame.into_inner();
        if !at_end(&mut tail.bytes)? {
            tail.last = [0xff; 8];
            self.frame = Some(FrameDecoder::new(tail));
            return Ok(());
        }
        let whole = self.legacy == Some(true) || tail.is_end_of_frame();
        if whole { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(frame) = &mut self.frame {
            if self.legacy.is_none() {
                self.legacy = Some(frame.get_mut().bytes.fill_buf()?.first() == Some(&0x02));
            }
            match frame.read(buffer)? {
                0 => self.advance()?,
                read => return Ok(read),
            }
        }
        Ok(0)
    }
}

/// Remembers the last bytes read.
struct Tail<R> {
    bytes: R,
    last: [u8; 8],
}

impl<R> Tail<R> {
    /// A frame ends with four zeros, and perhaps four bytes of checksum. Text does not end with zeros, so a block
    /// is not taken for that.
    fn is_end_of_frame(&self) -> bool {
        self.last[4..] == [0; 4] || self.last[..4] == [0; 4]
    }
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        for byte in &buffer[read.saturating_sub(8)..read] {
            self.last.rotate_left(1);
            self.last[7] = *byte;
        }
        Ok(read)
    }
}
