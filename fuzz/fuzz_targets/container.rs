//! Any bytes as a file: a log, a container, an archive. Whatever it is, it is read or refused with an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pglens::analyze::{Settings, analyze};
use pglens::input::{PlanOptions, plan};

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("pglens-fuzz-{}", std::process::id()));
    std::fs::write(&path, bytes).expect("a file in the temporary directory");
    let named = [path.to_string_lossy().into_owned()];
    if let Ok(plan) = plan(&named, &PlanOptions::default()) {
        let settings = Settings { jobs: 1, chunk: 4096, ..Settings::default() };
        let analysis = analyze(plan.streams, &settings);
        assert!(analysis.streams.iter().all(|stream| stream.fragments.len() <= 1));
    }
    std::fs::remove_file(&path).expect("the file that was written");
});
