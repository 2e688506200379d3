//! Where a report goes: standard output or a file, whole or not at all.
//!
//! A file is written beside its target and then renamed, so a reader never sees half a report, and an interrupt
//! ([`Interrupts`]) leaves nothing behind. This is the only code that opens anything for writing; what is written is
//! somebody else's (`render`).

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Target {
    /// `-` is standard output.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        if path == Path::new("-") { Self::Stdout } else { Self::File(path.to_owned()) }
    }

    /// Says early what will surely fail, before hours of reading.
    ///
    /// # Errors
    /// When the target is a directory, or lies in none.
    pub fn check(&self) -> Result<(), OutputError> {
        let Self::File(path) = self else { return Ok(()) };
        if path.is_dir() {
            return Err(OutputError::Directory { path: path.clone() });
        }
        let parent = parent(path);
        if parent.is_dir() {
            return Ok(());
        }
        Err(OutputError::NoDirectory { path: path.clone(), parent: parent.to_owned() })
    }
}

/// Who may read a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Whoever the umask allows.
    Umask,
    /// Its owner alone (0600): it shows values out of statements.
    Owner,
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A directory is in the way.
    #[error("{}: is a directory; name a file in it", path.display())]
    Directory {
        /// As given.
        path: PathBuf,
    },
    /// There is no directory to write into.
    #[error("{}: there is no directory {}", path.display(), parent.display())]
    NoDirectory {
        /// As given.
        path: PathBuf,
        /// What is missing.
        parent: PathBuf,
    },
    /// The world is against it.
    #[error("{}: cannot be written: {error}", path.display())]
    Write {
        /// As given; `-` for standard output.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Writes one report. A reader who has seen enough (a broken pipe) is a success.
///
/// # Errors
/// When it could not be written; the target is then as it was before.
pub fn write(
    target: &Target,
    readers: Readers,
    interrupts: &Interrupts,
    render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), OutputError> {
    let result = match target {
        Target::Stdout => into(io::stdout().lock(), render),
        Target::File(path) => {
            target.check()?;
            // A link is written through, not replaced.
            let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            match fs::metadata(&path) {
                Ok(meta) if !meta.is_file() => {
                    File::options().write(true).open(&path).and_then(|file| into(file, render))
                }
                _ => beside(&path, readers, interrupts, render),
            }
        }
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let path = match target {
                Target::Stdout => PathBuf::from("-"),
                Target::File(path) => path.clone(),
            };
            Err(OutputError::Write { path, error })
        }
        Ok(()) => Ok(()),
    }
}

fn into(out: impl Write, render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 << 10, out);
    render(&mut out)?;
    out.flush()
}

/// Writes a temporary file in the same directory, then gives it its name.
fn beside(
    path: &Path,
    readers: Readers,
    interrupts: &Interrupts,
    render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pglens-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = match readers {
            Readers::Umask => 0o666,
            Readers::Owner => 0o600,
        };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = readers;
    let unfinished = {
        // Together: an interrupt sees either no file or one that it knows.
        let mut known = interrupts.lock();
        let file = builder.tempfile_in(parent(path)).map_err(|error| unnamed(&error))?;
        known.push(file.path().to_owned());
        file
    };
    let name = unfinished.path().to_owned();
    let written = into(unfinished.as_file(), render);
    let mut known = interrupts.lock();
    known.retain(|other| *other != name);
    // Dropping the temporary file removes it.
    written?;
    unfinished.persist(path).map(drop).map_err(|error| error.error)
}

/// The error without the name of the temporary file, which means nothing to anybody.
fn unnamed(error: &io::Error) -> io::Error {
    let text = error.to_string();
    let reason = text.split(" at path ").next().unwrap_or_default();
    io::Error::new(error.kind(), reason.to_owned())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What an interrupt has to clean up: files that are not finished.
#[derive(Debug, Clone, Default)]
pub struct Interrupts(Arc<Mutex<Vec<PathBuf>>>);

impl Interrupts {
    /// Ctrl-C from now on removes unfinished files and ends with 130.
    ///
    /// # Errors
    /// When the system gives no handler, or there is one already.
    pub fn install() -> Result<Self, ctrlc::Error> {
        let interrupts = Self::default();
        let unfinished = interrupts.clone();
        ctrlc::set_handler(move || {
            let mut files = unfinished.lock();
            unfinished.clean(&mut files);
            // The lock stays held: nobody may begin another file now.
            std::process::exit(130);
        })?;
        Ok(interrupts)
    }

    fn clean(&self, files: &mut Vec<PathBuf>) {
        for file in files.drain(..) {
            // Nobody is left who could be told.
            drop(fs::remove_file(file));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_report_appears_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        fs::write(&path, "old").unwrap();
        let target = Target::File(path.clone());
        let interrupts = Interrupts::default();
        write(&target, Readers::Umask, &interrupts, |out| {
            out.write_all(b"new")?;
            assert_eq!(fs::read_to_string(&path)?, "old");
            assert_eq!(interrupts.lock().len(), 1);
            Ok(())
        })
        .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(directory.path()), ["report.json"]);
        assert!(interrupts.lock().is_empty());
    }

    #[test]
    fn a_failure_leaves_the_old_report() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        fs::write(&path, "old").unwrap();
        let target = Target::File(path.clone());
        let error = write(&target, Readers::Umask, &Interrupts::default(), |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert!(error.unwrap_err().to_string().ends_with("report.json: cannot be written: no more"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(directory.path()), ["report.json"]);
    }

    #[test]
    fn an_error_names_no_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gone/report.json");
        let error = beside(&path, Readers::Umask, &Interrupts::default(), |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!error.to_string().contains(".pglens-"), "{error}");
    }

    #[test]
    fn an_interrupt_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::File(directory.path().join("report.json"));
        let interrupts = Interrupts::default();
        let error = write(&target, Readers::Umask, &interrupts, |out| {
            out.write_all(b"half")?;
            let mut files = interrupts.lock();
            interrupts.clean(&mut files);
            Err(io::Error::other("stopped"))
        });
        assert!(error.is_err());
        assert!(names(directory.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_report_with_values_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        let mode = |readers| {
            write(&Target::File(path.clone()), readers, &Interrupts::default(), |_| Ok(())).unwrap();
            fs::metadata(&path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(Readers::Owner), 0o600);
        assert_eq!(mode(Readers::Umask) & 0o600, 0o600);
        assert_eq!(mode(Readers::Owner), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_are_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real.json"), directory.path().join("link.json"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&Target::File(link.clone()), Readers::Umask, &Interrupts::default(), |out| {
            out.write_all(b"new")
        })
        .unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        let null = Target::new(Path::new("/dev/null"));
        write(&null, Readers::Umask, &Interrupts::default(), |out| out.write_all(b"new")).unwrap();
    }

    #[test]
    fn a_directory_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::File(directory.path().to_owned());
        assert!(target.check().unwrap_err().to_string().ends_with("is a directory; name a file in it"));
        let target = Target::File(directory.path().join("none/report.json"));
        assert!(target.check().unwrap_err().to_string().contains("there is no directory"));
    }

    #[test]
    fn a_reader_who_has_seen_enough_is_a_success() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::File(directory.path().join("report.json"));
        let broken = |_: &mut dyn Write| Err(io::ErrorKind::BrokenPipe.into());
        assert!(write(&target, Readers::Umask, &Interrupts::default(), broken).is_ok());
    }
}
