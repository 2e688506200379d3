//! Watching a run: the recording agrees with the counters, and the page is one harmless file.

use super::common::{Case, shared};
use base64::Engine;
use sha2::{Digest, Sha256};
use survey_app::config::Profile;
use survey_app::metrics::{BUCKETS, Component};
use survey_app::observe::proc::Role;
use survey_app::observe::recording::{PostgresTotals, RoleTotals, Sample, ViewTotals};
use survey_app::observe::scrape::Source;
use survey_app::observe::{Recording, Sampler, Target, page, roles, write};

/// No network, no script, no inline style but the one that the page's policy names, every bracket ours.
fn is_harmless(html: &str) {
    for never in ["<script", "http:", "https:", "src=", "url(", "@import", " style=", "javascript:", "<link"]
    {
        assert!(!html.contains(never), "{never}");
    }
    let css = html.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(css));
    assert!(
        html.contains(&format!("default-src 'none'; style-src 'sha256-{hash}'")),
        "the policy names the style"
    );
    // Each element that is opened and has to be closed is closed.
    for name in ["svg", "main", "section", "figure", "ol", "li", "table", "title", "p", "dl", "text"] {
        let opened = html.matches(&format!("<{name}>")).count() + html.matches(&format!("<{name} ")).count();
        assert_eq!(opened, html.matches(&format!("</{name}>")).count(), "{name}");
    }
}

fn totals(primary: f64, app: f64, requests: u64) -> ViewTotals {
    let mut seconds = [0.0; Component::ALL.len()];
    seconds[Component::Primary.index()] = primary;
    seconds[Component::App.index()] = app;
    let mut buckets = vec![0; BUCKETS.len() + 1];
    buckets[7] = requests;
    ViewTotals { statuses: [("200".to_string(), requests)].into(), shed: 0, seconds, buckets }
}

#[test]
fn the_first_thing_is_what_a_view_waits_for() {
    let mut recording = Recording::new("A run", 0, 2);
    let views = [
        // 100 requests of 12.3 ms, 71 % of it at the primary.
        ("survey_change_page".to_string(), totals(0.8733, 0.3567, 100)),
        ("survey_content".to_string(), totals(0.1, 0.3, 100)),
        ("admin_home".to_string(), totals(5.0, 0.1, 1)),
    ];
    let last = Sample { at: 10.0, views: views.into(), ..Sample::default() };
    recording.samples = vec![Sample::default(), last];
    let html = page::of(&recording).unwrap();
    is_harmless(&html);
    let text: String = html.split('<').map(|t| t.split_once('>').map_or("", |t| t.1)).collect();
    let first = "survey_change_page waits for the PostgreSQL primary: 71 % of 12.3 ms";
    let second = "survey_content is busy in the application: 75 % of 4.00 ms";
    assert!(text.find(first).unwrap() < text.find(second).unwrap(), "the view with the most time first");
    assert!(!text.contains("admin_home waits"), "only the hot views have a sentence");
    assert!(text.contains("admin_home"), "the others are among the numbers");
}

#[test]
fn names_from_elsewhere_are_only_text() {
    let evil = "\"><script>alert('1')</script>&<b onload=x>";
    let mut recording = Recording::new(evil, 0, 2);
    let mut last = Sample { at: 3.0, ..Sample::default() };
    last.views.insert(evil.to_string(), totals(0.1, 0.1, 5));
    last.postgres.insert(evil.to_string(), PostgresTotals::default());
    last.roles.insert(evil.to_string(), RoleTotals { cpu: 1.0, load: 1.0 });
    recording.samples = vec![Sample::default(), last];
    recording.notes.push(evil.to_string());
    let table = page::Table { head: vec![evil.to_string()], rows: vec![vec![evil.to_string()]] };
    let html = page::of_several(evil, &[evil.to_string()], table, &[(evil, &recording)]).unwrap();
    assert!(html.contains("alert(") && !html.contains(evil) && !html.contains("<b onload"));
    is_harmless(&html.replace("<b onload", ""));
}

#[test]
fn nothing_seen_is_a_page_too() {
    is_harmless(&page::of(&Recording::new("Nothing", 0, 1)).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_what_happened() {
    let stack = shared();
    let case = Case::new(stack, Profile::Tuned, &[], 2, 3).await;
    let mut roles = roles(&stack.endpoints, &[case.at()]);
    roles.push(Role::process("load", std::process::id()));
    let sources = vec![Source::at(case.at())];
    let target = Target { title: "A test".to_string(), sources, postgres: stack.watched(), roles };
    let sampler = Sampler::start(target).await.unwrap();
    for person in 0..3 {
        case.respondent(person).take(&case.code(person)).await.unwrap();
    }
    let recording = sampler.end().await.unwrap();
    let whole = recording.whole();
    for (view, count) in case.app.counters.requests() {
        assert_eq!(whole.views[&view].requests(), count, "{view}");
    }
    let (tallies, seen) = (case.app.metrics.views(), &whole.views);
    for (view, tally) in tallies {
        assert!((tally.time().as_secs_f64() - seen[view].time()).abs() < 1e-6, "{view}");
    }
    let roles: Vec<&str> = whole.roles.keys().map(String::as_str).collect();
    assert_eq!(roles, ["db", "load", "memcached", "pgbouncer", "redis", "replica", "web"]);
    assert_eq!(whole.postgres.keys().collect::<Vec<_>>(), ["primary", "replica"]);
    assert!(recording.samples.len() >= 2 && recording.notes.is_empty(), "{:?}", recording.notes);
    let dir = tempfile::tempdir().unwrap();
    let html = dir.path().join("run.html");
    write(&recording, &html).unwrap();
    is_harmless(&std::fs::read_to_string(html).unwrap());
    let json = dir.path().join("run.json");
    write(&recording, &json).unwrap();
    let back: Recording = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(back.samples, recording.samples);
}
