//! Files that are there as a whole or not at all.
//!
//! Serves everything that writes.

use anyhow::{Context, Result};
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes beside `path`, then renames.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let beside = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        // As any new file: what the umask leaves.
        let mode = Permissions::from_mode(0o666);
        let mut file =
            tempfile::Builder::new().prefix(".survey-load-").permissions(mode).tempfile_in(beside)?;
        file.write_all(text.as_bytes())?;
        file.persist(path)?;
        anyhow::Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
