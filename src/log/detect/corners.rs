//! Logs whose detection went wrong once: each with what its server said.

use super::*;
use crate::log::testing::{read, render_log, same_at_every_cut};

fn detected(sample: &str) -> Dialect {
    Dialect::detect(sample.as_bytes(), &Hints::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn given(sample: &str, prefix: &str) -> Dialect {
    let hints = Hints { prefix: Some(prefix.to_owned()), ..Hints::default() };
    Dialect::detect(sample.as_bytes(), &hints).unwrap_or_else(|error| panic!("{error}"))
}

/// Lines of syslog: `(pid, message)`.
fn syslog_of(messages: &[(u32, &str)]) -> String {
    messages.iter().map(|(pid, text)| format!("Nov 23 14:00:00 vm postgres[{pid}]: {text}\n")).collect()
}

/// `syslog_sequence_numbers = off`, `syslog_split_messages = off`, and both.
#[test]
fn syslog_numbers_of_each_setting() {
    let said = [
        "LOG u@d \"duration: 1.50 ms  execute S_1: SELECT *\\nFROM t\"",
        "Detail u@d \"parameters: $1 = '0'\"",
    ];
    let call = "LOG:  duration: 1.50 ms  execute S_1: SELECT *";
    for prefix in ["%u@%d ", "user=%u,db=%d ", "[%p] %u@%d ", "[%l] %u@%d ", "[%l-1] user=%u,db=%d "] {
        let head = |pid: u32, line: u32| {
            let number = format!("{line}");
            let names = prefix.replace("%u", "u").replace("%d", "d");
            names.replace("%p", &pid.to_string()).replace("%l", &number)
        };
        // Number, process, and the lines of the session before.
        let all = [(7, 700, 10), (1, 701, 2), (8, 700, 12), (2, 701, 4), (3, 701, 6)];
        type Write<'w> = (&'w str, &'w dyn Fn(u64, u32, u32) -> Vec<String>);
        let settings: [Write<'_>; 4] = [
            ("both", &|number, pid, line| {
                vec![
                    format!("[{number}-1] {}{call}", head(pid, line)),
                    format!("[{number}-2] #011FROM t"),
                    format!("[{number}-3] {}DETAIL:  parameters: $1 = '0'", head(pid, line + 1)),
                ]
            }),
            ("pieces", &|_, pid, line| {
                vec![
                    format!("[1] {}{call}", head(pid, line)),
                    "[2] #011FROM t".to_owned(),
                    format!("[3] {}DETAIL:  parameters: $1 = '0'", head(pid, line + 1)),
                ]
            }),
            ("messages", &|number, pid, line| {
                let detail = format!("{}DETAIL:  parameters: $1 = '0'", head(pid, line + 1));
                vec![format!("[{number}] {}{call}#012#011FROM t#012{detail}", head(pid, line))]
            }),
            ("nothing", &|_, pid, line| {
                let detail = format!("{}DETAIL:  parameters: $1 = '0'", head(pid, line + 1));
                vec![format!("{}{call}#012#011FROM t#012{detail}", head(pid, line))]
            }),
        ];
        for (name, write) in settings {
            let texts: Vec<(u32, String)> = all
                .iter()
                .flat_map(|&(number, pid, line)| write(number, pid, line).into_iter().map(move |t| (pid, t)))
                .collect();
            let log = syslog_of(&texts.iter().map(|(pid, text)| (*pid, &text[..])).collect::<Vec<_>>());
            for dialect in [detected(&log), given(&log, prefix)] {
                assert_eq!(dialect.format(), Format::Syslog);
                assert_eq!(read(&dialect, log.as_bytes()), said.repeat(all.len()), "{prefix} {name}\n{log}");
                same_at_every_cut(&dialect, log.as_bytes());
            }
        }
    }
}

/// journald keeps the server's numbers.
#[test]
fn journald_with_numbered_pieces() {
    let letter = |text: &str| {
        format!("{{\"_PID\":\"7\",\"SYSLOG_IDENTIFIER\":\"postgres\",\"MESSAGE\":\"{text}\"}}\n")
    };
    let log = [
        letter("[1] u@d LOG:  duration: 1 ms  statement: select"),
        letter("[2] \\t1"),
        letter("[1] u@d LOG:  duration: 1 ms  statement: select 2"),
    ]
    .concat();
    let said = [
        "LOG u@d \"duration: 1 ms  statement: select\\n1\"",
        "LOG u@d \"duration: 1 ms  statement: select 2\"",
    ];
    assert_eq!(read(&detected(&log), log.as_bytes()), said);
}

/// fluent-bit takes line ends off; a long record is no piece of the next then.
#[test]
fn long_records_in_envelopes_without_line_ends() {
    let stamp = "2026-11-23 14:59:16.162 UTC [77] u@d LOG:  ";
    let long = "x".repeat(17_000);
    for (end, texts) in [("", ["a", &long, "c", "d"]), ("\\n", ["a", &long, "c", "d"])] {
        let log: String = texts.iter().map(|text| format!("{{\"log\":\"{stamp}{text}{end}\"}}\n")).collect();
        let said = read(&detected(&log), log.as_bytes());
        assert_eq!(said.len(), 4, "{end}");
        assert_eq!(said[2], "LOG u@d \"c\"");
    }
    // docker: the second object goes on with the first.
    let log = format!("{{\"log\":\"{stamp}{long}\"}}\n{{\"log\":\"y\\n\"}}\n{{\"log\":\"{stamp}c\\n\"}}\n");
    assert_eq!(
        read(&detected(&log), log.as_bytes()),
        [format!("LOG u@d \"{long}y\""), "LOG u@d \"c\"".to_owned()]
    );
}

/// What a checkpointer writes for weeks, and the sessions after it.
#[test]
fn sessions_that_come_late() {
    let checkpoint = |n: usize| {
        format!(
            "2026-11-28 {:02}:{:02}:{:02}.000 UTC [20] LOG:  checkpoint complete: wrote 3 buffers (0.1%); 0 WAL \
             file(s) added, 0 removed, 0 recycled; write=0.001 s, sync=0.001 s, total=0.002 s\n",
            n / 3600 % 24,
            n / 60 % 60,
            n % 60
        )
    };
    for (template, names) in [
        ("%m [%p] %quser=%u,db=%d,app=%a,client=%h ", "user=web,db=shop,app=puma,client=10.0.0.1 "),
        ("%m [%p] %q[user=%u,db=%d,app=%a] ", "[user=web,db=shop,app=puma] "),
        ("%m [%p] %q(%u,%d) ", "(web,shop) "),
        ("%m [%p] %q%u@%d/%a ", "web@shop/puma "),
        ("%m [%p] %q%u@%d ", "web@shop "),
        ("%m [%p] ", ""),
    ] {
        // Within the first 2,000 lines, and after them and the first 256 KiB; once far beyond.
        for before in [300, if names.is_empty() { 8_000 } else { 2_500 }] {
            let mut log: String = (0..before).map(checkpoint).collect();
            let first = log.len();
            for n in 0..60 {
                log += &format!(
                    "2026-11-28 09:00:{n:02}.000 UTC [30] {names}LOG:  duration: 1.000 ms  statement: select {n}\n"
                );
            }
            let dialect = detected(&log);
            assert_eq!(dialect.prefix(), Some(template), "{before}");
            assert!(!dialect.knows_no_session());
            let who = if names.is_empty() { "@" } else { "web@shop" };
            let said = read(&dialect, &log.as_bytes()[first..]);
            assert_eq!(said.len(), 60);
            assert_eq!(said[0], format!("LOG {who} \"duration: 1.000 ms  statement: select 0\""));
            // What is read before a session is seen says that it is not enough.
            let unseen = before == 8_000 && detected(&log[..1 << 20]).knows_no_session();
            assert_eq!(unseen, before == 8_000);
        }
    }
}

#[test]
fn sessions_that_come_late_in_frames() {
    let mut log: String = (0..3_000)
        .map(|n| format!("Nov 23 14:00:00 vm postgres[20]: [{n}-1] LOG:  checkpoint starting: time\n"))
        .collect();
    let first = log.len();
    for n in 1..60 {
        log += &format!(
            "Nov 23 14:00:00 vm postgres[30]: [{n}-1] user=web,db=shop LOG:  duration: 1 ms  statement: x\n"
        );
    }
    let dialect = detected(&log);
    let said = read(&dialect, &log.as_bytes()[first..]);
    assert_eq!(said, ["LOG web@shop \"duration: 1 ms  statement: x\""; 59]);
}

/// A backend before it knows whom it serves.
#[test]
fn names_that_are_unknown_stand_there_all_the_same() {
    let log = "2026-11-28 09:00:00.000 UTC [30] [unknown]@[unknown] LOG:  connection received: host=[local]\n\
               2026-11-28 09:00:00.000 UTC [20] LOG:  checkpoint starting: time\n";
    assert_eq!(detected(log).prefix(), Some("%m [%p] %q%u@%d "));
}

/// One record whose time was damaged.
#[test]
fn a_date_that_does_not_exist_says_nothing_about_the_prefix() {
    let line = |time: &str| {
        format!("{time} UTC [100] user=u,db=d,app=a,client=h LOG:  duration: 1.000 ms  statement: select 1\n")
    };
    for damaged in ["2026-02-30 25:61:61.000", "0000-00-00 00:00:00.000", "10000-01-01 00:00:00.000"] {
        for at in [0, 50, 99] {
            let log: String =
                (0..100).map(|n| line(if n == at { damaged } else { "2026-11-28 20:41:59.001" })).collect();
            let dialect = detected(&log);
            assert_eq!(dialect.prefix(), Some("%m [%p] user=%u,db=%d,app=%a,client=%h "));
            let said = read(&dialect, log.as_bytes());
            let mut expected = vec!["LOG u@d \"duration: 1.000 ms  statement: select 1\"".to_owned(); 100];
            expected[at] = format!("no_prefix {}", line(damaged).len());
            assert_eq!(said, expected, "{damaged}");
        }
    }
}

/// Sessions that say more than their names, and background processes that say it too.
#[test]
fn values_between_the_process_and_the_names() {
    let mut wrong = Vec::new();
    for template in [
        "%m [%p] %q[%l] %u@%d ",
        "%m [%p] %qtx=%x vx=%v %u@%d ",
        "%m [%p] %q%e %u@%d ",
        "%m [%p] %q[%l] %u@%d/%a %r %e %Q %v %x ",
        "%m [%p] %h %q%u@%d ",
        "%m [%p] s=%s %q%u@%d ",
        "%t:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
        "%m [%p] u=[%u],d=[%d],r=[%h],a=[%a] ",
        "%m\t%p\t%u\t%d\t",
        "%q%u@%d/%a ",
        "%m [%p] %a %u@%d ",
        "%m [%p] %b %q%u@%d ",
        "%m [%p] %q%u@%d %i ",
    ] {
        let log = render_log(template);
        let said = read(&given(&log, template), log.as_bytes());
        let found = detected(&log);
        if read(&found, log.as_bytes()) != said {
            wrong.push((template, found.prefix().map(str::to_owned)));
        }
    }
    assert_eq!(wrong, []);
}

/// `kubectl logs --timestamps` of a server that writes jsonlog.
#[test]
fn records_behind_a_time() {
    let record = "{\"timestamp\":\"2026-11-22 17:06:44.419 UTC\",\"user\":\"u\",\"dbname\":\"d\",\"pid\":1,\
                  \"error_severity\":\"LOG\",\"message\":\"x\"}";
    let log = format!("2026-11-23T14:59:01.123456789Z {record}\n").repeat(3);
    let dialect = detected(&log);
    assert_eq!(dialect.format(), Format::Json);
    assert_eq!(read(&dialect, log.as_bytes()), ["LOG u@d \"x\" 00000"; 3]);
}

/// journald writes what is no text as numbers: `LOG:  ä` in Latin-1 here.
#[test]
fn journald_writes_bytes() {
    let text = |message: &str| {
        format!("{{\"_PID\":\"7\",\"SYSLOG_IDENTIFIER\":\"postgres\",\"MESSAGE\":{message}}}\n")
    };
    let log = text("\"u@d LOG:  a\"").repeat(3) + &text("[117,64,100,32,76,79,71,58,32,32,228,999]");
    let said = read(&detected(&log), log.as_bytes());
    assert_eq!(said[3], "LOG u@d \"\u{FFFD}\"");
}
