//! quick try
use std::sync::atomic::AtomicU64;
use pglens::{analyze::*, assemble::*, chunk::*, log::Hints};
struct F(String);
impl Source for F { fn name(&self) -> &str { &self.0 } fn open(&mut self) -> std::io::Result<Opened> { Ok(Opened { bytes: Box::new(std::fs::File::open(&self.0)?), compression: None }) } }
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let s = Settings { jobs: a[0].parse().unwrap(), chunk: a[1].parse().unwrap(), hints: Hints::default() };
    let streams: Vec<Vec<Box<dyn Source>>> = a[2..].iter().map(|p| vec![Box::new(F(p.clone())) as Box<dyn Source>]).collect();
    let r = report(analyze(streams, &s, &AtomicU64::new(0)), Wishes { show_values: true, ..Default::default() });
    serde_json::to_writer(std::io::stdout().lock(), &r).unwrap();
}
