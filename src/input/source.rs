//! Where bytes come from: a file, a file in an archive, standard input. Each is a [`Source`].

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::archive::{self, Method, Tape, Whole};
use super::container::{self, Container, Decoded, PEEK};
use super::metered::Raw;
use super::tar::{Streamed, TarText};
use super::{PlanOptions, seek};
use crate::chunk::{Opened, Remarks, Source};
use crate::log::Dialect;

/// A place on which bytes lie.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// Standard input.
    Stdin,
    /// A file, or something that can be opened like one.
    File(PathBuf),
    /// A file in a tar archive.
    Slice { path: PathBuf, offset: u64, len: u64 },
    /// A file in a zip archive.
    Zipped { path: PathBuf, offset: u64, len: u64, method: Method, whole: Whole },
    /// A file in a compressed tar archive.
    OnTape { tape: Tape, offset: u64, len: u64 },
}

impl Place {
    /// The bytes as they lie there; `progress` counts them.
    pub(super) fn open(
        &self,
        progress: &Arc<AtomicU64>,
        remarks: &Remarks,
    ) -> io::Result<Box<dyn Read + Send>> {
        let progress = Arc::clone(progress);
        Ok(match self {
            Self::Stdin => Box::new(Raw { inner: io::stdin(), progress }),
            Self::File(path) => Box::new(Raw { inner: File::open(path)?, progress }),
            Self::Slice { path, offset, len } => Box::new(archive::slice(path, *offset, *len, progress)?),
            Self::Zipped { path, offset, len, method, whole } => {
                archive::unzip(archive::slice(path, *offset, *len, progress)?, *method, *whole, remarks)?
            }
            Self::OnTape { tape, offset, len } => Box::new(tape.file(*offset, *len, progress)?),
        })
    }

    fn is_pipe(&self) -> bool {
        match self {
            Self::Stdin | Self::File(_) => true,
            Self::Slice { .. } | Self::Zipped { .. } | Self::OnTape { .. } => false,
        }
    }
}

/// A source of the plan.
pub(super) struct Origin {
    pub(super) name: String,
    pub(super) place: Place,
    /// How it is written, where the plan has seen that.
    pub(super) dialect: Option<Dialect>,
    /// The archive that it lies in, as `zip`.
    pub(super) archive: Option<&'static str>,
    pub(super) options: PlanOptions,
    pub(super) progress: Arc<AtomicU64>,
}

impl Source for Origin {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&mut self) -> io::Result<Opened> {
        let remarks = Remarks::default();
        if let Some(opened) = self.open_stretch()? {
            return Ok(opened);
        }
        let Decoded { bytes, container, compression } =
            container::decode(self.place.open(&self.progress, &remarks)?, &remarks)?;
        let wrong = |text: &str| Err(io::Error::new(io::ErrorKind::InvalidData, text.to_owned()));
        let (bytes, label): (Box<dyn Read + Send>, _) = match container {
            // Archives on the disk were taken apart by the plan.
            Container::Tar if self.place.is_pipe() => {
                remarks.say("it is a tar archive in a pipe: its files were read as one log".to_owned());
                (Box::new(TarText::new(Streamed(bytes))), Some(archive::kind_name(container, compression)))
            }
            Container::Zip if self.place.is_pipe() => {
                return wrong(
                    "it is a zip archive, whose table of contents is at its end: name it as a file",
                );
            }
            Container::Zip | Container::Tar => return wrong("it is an archive within an archive"),
            _ => (Box::new(bytes), compression.map(Container::name)),
        };
        // Files on one tape are read in turn; everything else in a container is worth a worker of its own.
        let alone = !matches!(self.place, Place::OnTape { .. });
        let ahead = alone && label.or(self.archive).is_some();
        let dialect = self.dialect.take();
        Ok(Opened { bytes, begin: 0, dialect, compression: self.archive.or(label), ahead, remarks })
    }
}

impl Origin {
    /// Opens a plain file where it matters; `None` when all of it does, or when that cannot be found out.
    fn open_stretch(&self) -> io::Result<Option<Opened>> {
        let window = self.options.window;
        let Place::File(path) = &self.place else { return Ok(None) };
        if (window.since.is_none() && window.until.is_none()) || !path.metadata()?.is_file() {
            return Ok(None);
        }
        let Some(dialect) = self.dialect.clone() else { return Ok(None) };
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        file.by_ref().take(PEEK as u64).read_to_end(&mut head)?;
        if Container::of(&head) != Container::Plain {
            return Ok(None);
        }
        let len = file.metadata()?.len();
        let (begin, end) = seek::stretch(path, &dialect, window)?;
        if (begin, end) == (0, len) {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(begin))?;
        let remarks = Remarks::default();
        remarks.say(format!(
            "only {} of its {len} bytes were read, the rest lies far outside --since and --until",
            end - begin
        ));
        // What is not read is done with.
        self.progress.fetch_add(len - (end - begin), Ordering::Relaxed);
        let raw = Raw { inner: file, progress: Arc::clone(&self.progress) };
        let dialect = Some(dialect);
        // A file that grows meanwhile is read to its new end.
        let bytes: Box<dyn Read + Send> =
            if end < len { Box::new(raw.take(end - begin)) } else { Box::new(raw) };
        Ok(Some(Opened { bytes, begin, dialect, compression: None, ahead: false, remarks }))
    }
}
