//! lz4 frames, one after the other. `lz4_flex` takes an end of input between two blocks for the end of a frame;
//! here that is the truncation that it is.

use std::io::{self, BufRead, ErrorKind, Read};

use lz4_flex::frame::FrameDecoder;

use super::container::at_end;

/// All frames of an lz4 file.
pub(super) struct Lz4Frames<R: Read> {
    frames: FrameDecoder<Tail<R>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unknown,
    /// Frames of the format of today, which end with a mark.
    Frames,
    /// Frames of the old format, which end with the input.
    Legacy,
    Ended,
}

impl<R: BufRead> Lz4Frames<R> {
    pub(super) fn new(bytes: R) -> Self {
        Self { frames: FrameDecoder::new(Tail { bytes, last: [0xff; 8] }), state: State::Unknown }
    }
}

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.state == State::Ended {
            return Ok(0);
        }
        if self.state == State::Unknown {
            let head = self.frames.get_mut().bytes.fill_buf()?;
            self.state = if head.first() == Some(&0x02) { State::Legacy } else { State::Frames };
        }
        loop {
            let read = self.frames.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            let tail = self.frames.get_mut();
            if at_end(&mut tail.bytes)? {
                let whole = self.state == State::Legacy || tail.is_end_of_frame();
                self.state = State::Ended;
                return if whole { Ok(0) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
        }
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
