//! Containers: gzip, zstd, bzip2, xz and lz4, recognised by their first bytes, never by a name.
//!
//! Everything is streamed: a decoder holds its window and its buffers, whatever it expands to, so a bomb costs time
//! and no memory. Windows are limited ([`ZSTD_WINDOW_LOG`], [`XZ_MEMORY`]) and so is nesting ([`MOST_LAYERS`]).
//!
//! Damage ends a stream early: what was decoded before is delivered, then comes one error that names the container
//! and the place.

use std::io::{self, BufRead, BufReader, Chain, Cursor, ErrorKind, Read};

use super::gzip::GzipMembers;
use super::lz4::Lz4Frames;
use super::metered::Metered;
use crate::chunk::Remarks;

/// A zstd frame may ask for a window of at most 2 to this power: 128 MiB, the format's own default limit.
const ZSTD_WINDOW_LOG: u32 = 27;
/// What an xz stream may ask for: enough for `xz -9` (65 MiB).
const XZ_MEMORY: u64 = 96 << 20;
/// Containers within containers: `x.log.gz.gz` happens, more is an attack or a mistake.
const MOST_LAYERS: usize = 3;
/// Compressed bytes read at once.
pub(super) const BUFFER: usize = 256 << 10;
/// Bytes that are looked at: tar's magic ends at 263.
pub(super) const PEEK: usize = 512;

/// Bytes with their beginning known.
pub(super) type Peeked = Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>;

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
    Zip,
    Tar,
}

impl Container {
    /// Recognises a container by its first bytes.
    pub(super) fn of(head: &[u8]) -> Self {
        let skippable = head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == [0x2a, 0x4d, 0x18];
        if head.starts_with(&[0x1f, 0x8b, 0x08]) {
            Self::Gzip
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || skippable {
            Self::Zstd
        } else if head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
            Self::Xz
        } else if head.starts_with(&[0x04, 0x22, 0x4d, 0x18]) || head.starts_with(&[0x02, 0x21, 0x4c, 0x18]) {
            Self::Lz4
        } else if is_bzip2(head) {
            Self::Bzip2
        } else if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            Self::Zip
        } else if head.get(257..262) == Some(b"ustar") {
            Self::Tar
        } else {
            Self::Plain
        }
    }

    /// The name in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
            Self::Zip => "zip",
            Self::Tar => "tar",
        }
    }

    /// Decodes one layer.
    fn decode(self, bytes: Peeked, remarks: &Remarks) -> io::Result<Box<dyn Read + Send>> {
        let meter = Metered::new(BufReader::with_capacity(BUFFER, bytes));
        let consumed = meter.consumed();
        let decoder: Box<dyn Read + Send> = match self {
            Self::Gzip => Box::new(GzipMembers::new(meter, remarks.clone())),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(meter)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(meter)),
            Self::Xz => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(meter, stream))
            }
            Self::Lz4 => Box::new(Lz4Frames::new(meter)),
            Self::Plain | Self::Zip | Self::Tar => return Ok(Box::new(meter)),
        };
        Ok(Box::new(Placed { decoder, container: self.name(), consumed, produced: 0 }))
    }
}

/// `BZh1` to `BZh9`, then the magic of a block or of an empty stream's end: a log line may begin with `BZh`.
fn is_bzip2(head: &[u8]) -> bool {
    let level = head.get(3).is_some_and(|level| (b'1'..=b'9').contains(level));
    let block = head.get(4..10);
    head.starts_with(b"BZh")
        && level
        && (block == Some(&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
            || block == Some(&[0x17, 0x72, 0x45, 0x38, 0x50, 0x90]))
}

/// Bytes out of all their containers.
pub(super) struct Decoded {
    /// The innermost bytes.
    pub(super) bytes: Peeked,
    /// What they are: [`Container::Plain`], or an archive, whose members are somebody else's work.
    pub(super) container: Container,
    /// The outermost layer, if there is any.
    pub(super) compression: Option<Container>,
}

/// Takes off all layers of compression.
pub(super) fn decode(bytes: Box<dyn Read + Send>, remarks: &Remarks) -> io::Result<Decoded> {
    let mut bytes = peek(bytes)?;
    let mut compression = None;
    for _ in 0..=MOST_LAYERS {
        let container = Container::of(bytes.get_ref().0.get_ref());
        if matches!(container, Container::Plain | Container::Zip | Container::Tar) {
            return Ok(Decoded { bytes, container, compression });
        }
        compression.get_or_insert(container);
        bytes = peek(container.decode(bytes, remarks)?)?;
    }
    Err(io::Error::new(ErrorKind::InvalidData, format!("is compressed more than {MOST_LAYERS} times over")))
}

/// Reads the first bytes, and keeps them. An error is kept too: it belongs to the reading that comes to it.
fn peek(mut bytes: Box<dyn Read + Send>) -> io::Result<Peeked> {
    let mut head = Vec::with_capacity(PEEK);
    let bytes = match (&mut bytes).take(PEEK as u64).read_to_end(&mut head) {
        Ok(_) => bytes,
        Err(error) if head.is_empty() => return Err(error),
        Err(error) => Box::new(Failing(Some(error))),
    };
    Ok(Cursor::new(head).chain(bytes))
}

/// Fails once, then is at its end.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Says where in a container an error happened.
struct Placed<R> {
    decoder: R,
    container: &'static str,
    consumed: super::metered::Count,
    produced: u64,
}

impl<R: Read> Read for Placed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(buffer) {
            Ok(read) => {
                self.produced += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) => Err(self.place(&error)),
        }
    }
}

impl<R> Placed<R> {
    fn place(&self, error: &io::Error) -> io::Error {
        let Self { container, produced, .. } = self;
        let consumed = self.consumed.get();
        let text = error.to_string();
        // Decoders report a missing end in three ways.
        if error.kind() == ErrorKind::UnexpectedEof || text.contains("incomplete frame") {
            let text = format!(
                "{container} stream ends early, after {consumed} bytes ({produced} bytes decompressed)"
            );
            return io::Error::new(ErrorKind::UnexpectedEof, text);
        }
        // An error of an inner layer already says where it is.
        if text.contains(" stream ends early") || text.contains(" stream is damaged") {
            return io::Error::new(error.kind(), text);
        }
        let text = format!(
            "{container} stream is damaged near byte {consumed} ({produced} bytes decompressed): {text}"
        );
        io::Error::new(ErrorKind::InvalidData, text)
    }
}

/// Whether anything is left.
pub(super) fn at_end(bytes: &mut impl BufRead) -> io::Result<bool> {
    loop {
        match bytes.fill_buf() {
            Ok(rest) => return Ok(rest.is_empty()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn text() -> Vec<u8> {
        (0..20_000)
            .flat_map(|n| format!("2026-11-23 10:00:00.{:03} UTC [{n}] LOG:  x\n", n % 1000).into_bytes())
            .collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    type Encode = fn(&[u8]) -> Vec<u8>;

    fn all() -> [(&'static str, Encode); 5] {
        [
            ("gzip", gzip),
            ("zstd", |bytes| zstd::encode_all(bytes, 1).unwrap()),
            ("bzip2", bzip2),
            ("xz", xz),
            ("lz4", lz4),
        ]
    }

    /// What is delivered, the error at the end, the outermost container and the remarks.
    fn read(bytes: Vec<u8>) -> (Vec<u8>, Option<String>, Option<&'static str>, Vec<String>) {
        let remarks = Remarks::default();
        let mut out = Vec::new();
        match decode(Box::new(Cursor::new(bytes)), &remarks) {
            Ok(mut decoded) => {
                let error = decoded.bytes.read_to_end(&mut out).err().map(|error| error.to_string());
                (out, error, decoded.compression.map(Container::name), remarks.take())
            }
            Err(error) => (out, Some(error.to_string()), None, remarks.take()),
        }
    }

    #[test]
    fn every_container_gives_back_its_text() {
        for (name, encode) in all() {
            let (out, error, container, remarks) = read(encode(&text()));
            assert!(out == text(), "{name}");
            assert_eq!((error, container), (None, Some(name)));
            assert!(remarks.is_empty(), "{name}: {remarks:?}");
        }
    }

    #[test]
    fn several_members_are_one_text() {
        for (name, encode) in all() {
            let text = text();
            let (left, right) = text.split_at(text.len() / 3);
            let (out, error, ..) = read([encode(left), encode(b""), encode(right)].concat());
            assert_eq!(error, None, "{name}");
            assert!(out == text, "{name}");
        }
    }

    #[test]
    fn what_comes_before_the_damage_is_delivered() {
        for (name, encode) in all() {
            let whole = encode(&text());
            for keep in [whole.len() - 1, whole.len() - 9, whole.len() / 2, 20] {
                let (out, error, ..) = read(whole[..keep].to_vec());
                assert!(text().starts_with(&out), "{name} {keep}");
                let error =
                    error.unwrap_or_else(|| panic!("{name}: {keep} of {} bytes are no error", whole.len()));
                assert!(
                    error.starts_with(&format!("{name} stream ends early, after {keep} bytes")),
                    "{error}"
                );
                if keep == whole.len() - 1 && matches!(name, "gzip" | "lz4") {
                    assert_eq!(out.len(), text().len(), "{name}");
                }
            }
            let mut broken = whole.clone();
            let middle = broken.len() / 2;
            broken[middle..middle + 40].fill(0xa5);
            let (out, error, ..) = read(broken);
            assert!(out.len() < text().len() + 40, "{name}");
            // Without a checksum, which zstd and lz4 leave to the writer, not all damage can be seen.
            match error {
                Some(error) => {
                    assert!(error.starts_with(&format!("{name} stream is damaged near byte ")), "{error}")
                }
                None => assert!(matches!(name, "zstd" | "lz4"), "{name}"),
            }
        }
    }

    #[test]
    fn lz4_cut_between_two_blocks_is_cut() {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(&text()).unwrap();
        encoder.flush().unwrap();
        let (out, error, ..) = read(encoder.get_ref().clone());
        assert!(text().starts_with(&out) && !out.is_empty());
        assert!(error.unwrap().starts_with("lz4 stream ends early"));
    }

    #[test]
    fn padding_after_gzip_is_ignored_and_said() {
        let (out, error, _, remarks) = read([gzip(&text()), vec![0; 512]].concat());
        assert!(out == text() && error.is_none());
        assert_eq!(remarks, ["512 zeros after the end of the gzip stream were ignored"]);
        let (out, error, _, remarks) = read([gzip(&text()), b"rubbish".to_vec()].concat());
        assert!(out == text() && error.is_none());
        assert_eq!(remarks, ["7 bytes that are no gzip after the end of the gzip stream were ignored"]);
    }

    #[test]
    fn containers_nest_but_not_for_ever() {
        let mut bytes = text();
        for _ in 0..MOST_LAYERS {
            bytes = gzip(&bytes);
        }
        let (out, error, container, _) = read(bytes.clone());
        assert!(out == text());
        assert_eq!((error, container), (None, Some("gzip")));
        let (_, error, ..) = read(gzip(&bytes));
        assert_eq!(error.unwrap(), "is compressed more than 3 times over");
    }

    #[test]
    fn text_is_text() {
        for text in ["", "B", "BZh9 is how this line begins", "2026-11-23 10:00:00 UTC [1] LOG:  x\n", "PK"] {
            let (out, error, container, _) = read(text.as_bytes().to_vec());
            assert_eq!((out, error, container), (text.as_bytes().to_vec(), None, None));
        }
    }
}
