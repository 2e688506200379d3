use super::*;

fn machine(memory_of: &str, cores: u32, disk: Disk) -> Machine {
    Machine { memory: memory(memory_of).unwrap(), cores, disk, profile: Profile::Web, connections: None }
}

fn values(machine: &Machine, talk: Talk) -> std::collections::BTreeMap<&'static str, String> {
    let lines = tune(machine, talk).unwrap();
    lines.into_iter().filter(|l| !l.is_comment).map(|l| (l.name, l.value)).collect()
}

/// The talk's last database server, on paper: 68 / 4, 68 × 3/4, 2 × 26 + 1 + 13, (68 − 17) GB / ((66 + 26) × 3).
#[test]
fn the_talks_server() {
    let got = values(&machine("68GB", 26, Disk::Ssd), Talk { commit_delay: true, ..Talk::default() });
    for (name, value) in [
        ("shared_buffers", "17GB"),
        ("effective_cache_size", "51GB"),
        ("maintenance_work_mem", "2GB"),
        ("max_connections", "66"),
        ("work_mem", "189MB"),
        ("wal_buffers", "16MB"),
        ("random_page_cost", "1.1"),
        ("max_worker_processes", "26"),
        ("max_parallel_workers_per_gather", "4"),
        ("huge_pages", "try"),
        ("commit_delay", "4000"),
        ("commit_siblings", "5"),
    ] {
        assert_eq!(got[name], value, "{name}");
    }
    assert!(!got.contains_key("synchronous_commit"), "only told of");
}

#[test]
fn small_machines() {
    let small = Machine { connections: Some(20), ..machine("512MB", 2, Disk::Hdd) };
    let got = values(&small, Talk::default());
    // (512 − 128) MB / ((20 + 8) × 3) = 4681 kB; 3 % of 128 MB = 3932 kB; both in pages of 8 kB.
    for (name, value) in [
        ("shared_buffers", "128MB"),
        ("work_mem", "4680kB"),
        ("wal_buffers", "3928kB"),
        ("random_page_cost", "4"),
        ("effective_io_concurrency", "2"),
    ] {
        assert_eq!(got[name], value, "{name}");
    }
    assert!(!got.contains_key("max_parallel_workers") && !got.contains_key("commit_delay"));
    assert!(tune(&machine("128MB", 2, Disk::Hdd), Talk::default()).is_err());
}

#[test]
fn amounts() {
    for (text, bytes) in [("68GB", 68 << 30), ("512 MB", 512 << 20), ("1.5tb", 3 << 39), ("64kB", 64 << 10)] {
        assert_eq!(memory(text).unwrap(), bytes, "{text}");
    }
    for text in ["", "GB", "68", "lots", "1.2.3GB", "-1GB"] {
        assert!(memory(text).is_err(), "{text}");
    }
}

#[test]
fn every_line_has_its_reason() {
    let all = Talk { commit_delay: true, synchronous_commit_off: true };
    for profile in [Profile::Web, Profile::Oltp, Profile::Dw, Profile::Mixed, Profile::Desktop] {
        let machine = Machine { profile, ..machine("8GB", 4, Disk::San) };
        let lines = tune(&machine, all).unwrap();
        assert!(lines.iter().all(|l| l.reason.len() > 20));
        let text = print(&machine, &lines);
        assert!(text.contains("\nsynchronous_commit = off\n") && text.contains("# WARNING"), "{text}");
        for line in text.lines().filter(|l| !l.is_empty()) {
            assert!(line.starts_with('#') || line.contains(" = "), "{line}");
        }
    }
}
