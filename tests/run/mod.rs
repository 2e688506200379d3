//! Runs the binary as a user would and reads the JSON report it writes.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The report on one log, its format and prefix detected.
pub(crate) fn report(log: &Path) -> Value {
    report_with::<&str>(log, &[])
}

/// The report on one log with further arguments.
pub(crate) fn report_with<A: AsRef<OsStr>>(log: &Path, arguments: &[A]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_pglens"))
        .args(["report", "--format", "json"])
        .args(arguments)
        .arg(log)
        .output()
        .expect("the binary was built for this test");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {} {words}", log.display(), output.status);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{}: {why}: {words}", log.display()))
}
