//! What every output promises, on reports made by hand.

mod sample;

use pglens::render::{Format, Style, render};
use pglens::report::Report;

fn rendered(report: &Report, format: Format, style: &Style) -> String {
    let mut out = Vec::new();
    render(report, format, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn pages_are_written_for_eyes() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (name, report) in [
        ("sample", sample::report()),
        ("bare", sample::bare()),
        ("hostile", sample::hostile()),
        ("large", sample::large(50_000)),
    ] {
        for (_, format) in Format::ALL {
            let extension = match format {
                Format::Html => "html",
                Format::Json => "json",
                Format::Text => "txt",
                Format::Markdown => "md",
                Format::Csv => "csv",
            };
            std::fs::write(
                dir.join(format!("{name}.{extension}")),
                rendered(&report, format, &Style::default()),
            )
            .unwrap();
        }
    }
}
