//! tar, walked from front to back: headers are parsed by the `tar` crate, names are data and nothing is unpacked.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use tar::{EntryType, Header, PaxExtensions};

const BLOCK: u64 = 512;
/// A long name or a list of attributes longer than this is an attack.
const MOST_NAME: u64 = 64 << 10;

/// Something that can be stepped over.
pub(super) trait Forward: Read {
    /// Steps over `count` bytes.
    fn forward(&mut self, count: u64) -> io::Result<()>;
}

impl Forward for File {
    fn forward(&mut self, count: u64) -> io::Result<()> {
        self.seek(SeekFrom::Current(count.try_into().map_err(|_| bad("sizes"))?))?;
        Ok(())
    }
}

/// Bytes that can only be read.
pub(super) struct Streamed<R>(pub(super) R);

impl<R: Read> Read for Streamed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Forward for Streamed<R> {
    fn forward(&mut self, count: u64) -> io::Result<()> {
        match io::copy(&mut (&mut self.0).take(count), &mut io::sink())? {
            stepped if stepped == count => Ok(()),
            _ => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TarMember {
    pub(super) name: String,
    /// Where its bytes begin.
    pub(super) offset: u64,
    pub(super) len: u64,
    /// Whether it is a plain file, and not a directory, a link, a device or a file with holes.
    pub(super) regular: bool,
}

/// A walk through an archive. Reading gives the bytes of the member that the walk has come to.
pub(super) struct TarWalk<R> {
    bytes: R,
    position: u64,
    /// Bytes of the member that are not read yet.
    left: u64,
    /// Bytes between the member and the next header.
    padding: u64,
}

impl<R: Forward> TarWalk<R> {
    pub(super) fn new(bytes: R) -> Self {
        Self { bytes, position: 0, left: 0, padding: 0 }
    }

    /// The next member; `None` at the end.
    pub(super) fn advance(&mut self) -> io::Result<Option<TarMember>> {
        let (mut long_name, mut long_size) = (None, None);
        loop {
            self.finish_member()?;
            let Some(block) = self.block()? else { return Ok(None) };
            let header = Header::from_byte_slice(&block);
            check(header, &block)?;
            let size = header.entry_size().map_err(|_| bad("sizes"))?;
            self.enter(size);
            match header.entry_type() {
                EntryType::GNULongName => {
                    let mut name = self.text(size)?;
                    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                    long_name = Some(name);
                }
                EntryType::XHeader => {
                    let text = self.text(size)?;
                    for pair in PaxExtensions::new(&text).flatten() {
                        match pair.key_bytes() {
                            b"path" => long_name = Some(pair.value_bytes().to_vec()),
                            b"size" => long_size = pair.value().ok().and_then(|size| size.parse().ok()),
                            _ => {}
                        }
                    }
                }
                EntryType::GNULongLink | EntryType::XGlobalHeader => {}
                kind => {
                    let len = long_size.unwrap_or(size);
                    self.enter(len);
                    let name = long_name.unwrap_or_else(|| header.path_bytes().into_owned());
                    let regular = matches!(kind, EntryType::Regular | EntryType::Continuous);
                    let name = String::from_utf8_lossy(&name).into_owned();
                    // Old archives mark a directory by its name.
                    let regular = regular && !name.ends_with('/');
                    return Ok(Some(TarMember { name, offset: self.position, len, regular }));
                }
            }
        }
    }

    fn enter(&mut self, len: u64) {
        self.left = len;
        self.padding = len.next_multiple_of(BLOCK).saturating_sub(len);
    }

    fn finish_member(&mut self) -> io::Result<()> {
        let rest = self.left.checked_add(self.padding).ok_or_else(|| bad("sizes"))?;
        self.bytes.forward(rest)?;
        self.position = self.position.checked_add(rest).ok_or_else(|| bad("sizes"))?;
        (self.left, self.padding) = (0, 0);
        Ok(())
    }

    /// The next header; `None` at the end: two blocks of zeros, or nothing more.
    fn block(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut block = Vec::with_capacity(BLOCK as usize);
        (&mut self.bytes).take(BLOCK).read_to_end(&mut block)?;
        self.position += block.len() as u64;
        if block.is_empty() || block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if block.len() as u64 == BLOCK { Ok(Some(block)) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn text(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MOST_NAME {
            return Err(bad("names"));
        }
        let mut text = Vec::new();
        self.by_ref().take(size).read_to_end(&mut text)?;
        Ok(text)
    }
}

impl<R: Read> Read for TarWalk<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.bytes.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        self.position += read as u64;
        Ok(read)
    }
}

/// A header's checksum: the sum of its bytes with the checksum itself taken as blanks.
fn check(header: &Header, block: &[u8]) -> io::Result<()> {
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let own: u32 = block[148..156].iter().map(|byte| u32::from(*byte)).sum();
    match header.cksum() {
        Ok(expected) if expected == sum - own + 8 * u32::from(b' ') => Ok(()),
        _ => Err(bad("headers")),
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{what} that no tar writes"))
}

/// All plain files of an archive as one text, for archives that come through a pipe.
pub(super) struct TarText<R> {
    walk: TarWalk<R>,
    ended: bool,
}

impl<R: Forward> TarText<R> {
    pub(super) fn new(bytes: R) -> Self {
        Self { walk: TarWalk::new(bytes), ended: false }
    }
}

impl<R: Forward> Read for TarText<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            match self.walk.read(buffer)? {
                0 => loop {
                    match self.walk.advance()? {
                        Some(member) if !member.regular => {}
                        Some(_) => break,
                        None => {
                            self.ended = true;
                            break;
                        }
                    }
                },
                read => return Ok(read),
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |name: &str, text: &[u8], kind| {
            let mut header = Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_entry_type(kind);
            builder.append_data(&mut header, name, text).unwrap();
        };
        add("logs/", b"", EntryType::Directory);
        add("logs/a.log", b"one\n", EntryType::Regular);
        add(&format!("logs/{}.log", "long".repeat(60)), &[b'x'; 1000], EntryType::Regular);
        add("logs/link", b"", EntryType::Symlink);
        add("logs/empty", b"", EntryType::Regular);
        add("b.log", b"two\n", EntryType::Regular);
        builder.into_inner().unwrap()
    }

    #[test]
    fn members_are_found_where_they_are() {
        let archive = archive();
        let mut walk = TarWalk::new(Streamed(&archive[..]));
        let mut seen = Vec::new();
        while let Some(member) = walk.advance().unwrap() {
            let at = member.offset as usize;
            let slice = archive[at..at + member.len as usize].to_vec();
            let mut text = Vec::new();
            if member.name != "logs/a.log" {
                walk.read_to_end(&mut text).unwrap();
                assert_eq!(text, slice);
            }
            seen.push((member.name.len(), member.len, member.regular));
        }
        assert_eq!(
            seen,
            [(5, 0, false), (10, 4, true), (249, 1000, true), (9, 0, false), (10, 0, true), (5, 4, true)]
        );
    }

    #[test]
    fn an_archive_through_a_pipe_is_one_text() {
        let mut text = Vec::new();
        TarText::new(Streamed(&archive()[..])).read_to_end(&mut text).unwrap();
        assert_eq!(text, [&b"one\n"[..], &[b'x'; 1000], b"two\n"].concat());
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let archive = archive();
        for keep in (0..archive.len()).step_by(100) {
            let mut text = Vec::new();
            let _ = TarText::new(Streamed(&archive[..keep])).read_to_end(&mut text);
        }
        let mut broken = archive.clone();
        broken[512 + 100] ^= 1;
        let error = TarText::new(Streamed(&broken[..])).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "headers that no tar writes");
    }
}
