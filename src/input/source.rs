//! Where bytes come from: a file, a member of an archive, standard input. Each is a [`Source`].

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::container::{self, Container, Decoded};
use super::metered::Raw;
use crate::chunk::{Opened, Remarks, Source};

/// A place on which bytes lie.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// Standard input.
    Stdin,
    /// A file, or something that can be opened like one.
    File(PathBuf),
}

impl Place {
    /// The bytes as they lie there; `progress` counts them.
    pub(super) fn open(&self, progress: &Arc<AtomicU64>) -> io::Result<Box<dyn Read + Send>> {
        let progress = Arc::clone(progress);
        Ok(match self {
            Self::Stdin => Box::new(Raw { inner: io::stdin(), progress }),
            Self::File(path) => Box::new(Raw { inner: File::open(path)?, progress }),
        })
    }
}

/// A source of the plan.
pub(super) struct Origin {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) progress: Arc<AtomicU64>,
}

impl Source for Origin {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&mut self) -> io::Result<Opened> {
        let remarks = Remarks::default();
        let Decoded { bytes, container, compression } =
            container::decode(self.place.open(&self.progress)?, &remarks)?;
        match container {
            Container::Zip | Container::Tar => {
                let text = format!("is a {} archive where a log was expected", container.name());
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
            _ => {
                let compression = compression.map(Container::name);
                Ok(Opened { bytes: Box::new(bytes), compression, remarks })
            }
        }
    }
}
