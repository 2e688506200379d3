//! Detection, tried on logs that are rendered from a template and put into frames.

use super::*;
use crate::log::testing::{read, render_log, same_at_every_cut};
use crate::log::usual::USUAL;

fn detected(sample: &str) -> Dialect {
    Dialect::detect(sample.as_bytes(), &Hints::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn error(sample: &[u8]) -> String {
    Dialect::detect(sample, &Hints::default()).map(|dialect| format!("{dialect:?}")).unwrap_err().to_string()
}

/// A statement of 300 KiB is more than a sample holds.
#[test]
fn a_first_record_longer_than_the_sample_is_a_record() {
    let long = "x".repeat(300 * 1024);
    let json = format!(
        r#"{{"timestamp":"2026-11-23 14:00:01.000 UTC","pid":7,"error_severity":"LOG","message":"duration: 1.0 ms  statement: SELECT '{long}'"}}"#
    );
    assert_eq!(detected(&json).format(), Format::Json);
    let record = r#""record":{"log_time":"2026-11-23 14:00:01.000 UTC","error_severity":"LOG","message":"#;
    let operators = format!(r#"{{"level":"info","logger":"postgres","msg":"record",{record}"{long}"}}}}"#);
    assert_eq!(detected(&operators).format(), Format::Json);
    let csv = format!(
        "2026-11-23 14:00:01.000 UTC,\"u\",\"d\",7,\"h\",6923f001.7,1,\"SELECT\",2026-11-23 14:00:00 UTC,3/1,0,LOG,00000,\
         \"duration: 1.0 ms  statement: SELECT '{long}'\",,,,,,,,,\"\",\"client backend\",,0"
    );
    assert_eq!(detected(&csv).format(), Format::Csv);
}

#[test]
fn a_format_that_was_given_is_believed_unless_it_cannot_be() {
    let long = "x".repeat(300 * 1024);
    let said = |format, sample: &str| {
        Dialect::detect(sample.as_bytes(), &Hints { format: Some(format), ..Hints::default() })
            .map(|dialect| dialect.format())
    };
    let json = format!(r#"{{"ps":"{long}","error_severity":"LOG","message":"a"}}"#);
    assert_eq!(said(Format::Json, &json), Ok(Format::Json));
    let csv = format!("2026-11-23 14:00:01.000 UTC,\"{long}\",\"d\",7");
    assert_eq!(said(Format::Csv, &csv), Ok(Format::Csv));
    let stderr = "2026-11-23 14:00:01.000 UTC [7] u@d LOG:  a";
    for format in [Format::Json, Format::Csv] {
        assert!(matches!(said(format, stderr), Err(DetectError::WrongFormat { .. })));
    }
}

/// A log that was written with a prefix reads the same, whether the prefix was given or found.
#[test]
fn every_usual_prefix_is_found_from_its_own_log() {
    let mut wrong = Vec::new();
    for template in USUAL {
        let log = render_log(template);
        let given = Hints { prefix: Some((*template).to_owned()), ..Hints::default() };
        let given = read(&Dialect::detect(log.as_bytes(), &given).unwrap(), log.as_bytes());
        let found = detected(&log);
        if read(&found, log.as_bytes()) != given {
            wrong.push((*template, found.prefix().map(str::to_owned)));
        }
        assert_eq!(given.len(), 39, "{template}");
    }
    assert_eq!(wrong, []);
}

#[test]
fn prefixes_in_no_list_are_read_off_the_lines() {
    let mut wrong = Vec::new();
    for template in [
        "%m [%p] %q[user=%u,db=%d,app=%a] ",
        "%m [%p:%l] %q%u@%d/%a %r %i %e %Q ",
        "%n [%p]: user=%-10u db=%10d ",
        "<%m> %b ",
        "%m|%u|%d|%r|%p|",
        "time=%m pid=%p line=%l user=%u db=%d app=%a client=%h ",
        "%m %p %q%u %d ",
        "[%t] [%c] [%p] %quser:%u db:%d ",
        "%t:%h:%u@%d:[%p]:[%l]: ",
        "%m - %p - %u - %d - %h - ",
        "%m [%p] %e %v %x %q%u@%d ",
        "(%u,%d,%p) %m ",
        "db=%d,user=%u,client=%h,pid=%p %t ",
        "%m (%p) %u/%d: ",
        "%c|%m|%u|%d|",
        "%t [%p]: [%l-1] [%x] usr=%u,db=%d,appli=%a ",
        "%m [%p]: user=%u,db=%d,app=%a,client=%h,xid=%x ",
        "%m [%p] %e: db=%d,user=%u,app=%a,client=%h ",
        "pg[%p] %q%u@%d: ",
        "%m [%p] %q%u@%d(%a) ",
        "%m [%p]: [%l-1] %c %q%u@%d ",
        "%m [%p] %q%u@%d %Q ",
        "%m [%p] %q%u@%d/%a %Q ",
        "%t [%p]: [%l-1] %Q %q%u@%d ",
        " sql_error_code = %e time_ms = \"%m\" pid=\"%p\" proc_start_time=\"%s\" session_id=\"%c\" vtid=\"%v\" tid=\"%x\" log_line=\"%l\" %qdatabase=\"%d\" connection_source=\"%r\" user=\"%u\" application_name=\"%a\" ",
    ] {
        let log = render_log(template);
        let given = Hints { prefix: Some(template.to_owned()), ..Hints::default() };
        let given = read(&Dialect::detect(log.as_bytes(), &given).unwrap(), log.as_bytes());
        match Dialect::detect(log.as_bytes(), &Hints::default()) {
            Ok(found) if read(&found, log.as_bytes()) == given => {}
            Ok(found) => wrong.push((template, found.prefix().unwrap_or_default().to_owned())),
            Err(error) => wrong.push((template, error.to_string())),
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn a_prefix_is_shown_as_it_was_written() {
    for template in [
        "%m [%p] %q%u@%d ",
        "%m [%p] ",
        "%t:%r:%u@%d:[%p]:",
        "%c %m [%p] ",
        "%m [%p] %q[user=%u,db=%d,app=%a] ",
    ] {
        assert_eq!(detected(&render_log(template)).prefix(), Some(template));
    }
}

#[test]
fn a_given_prefix_may_have_lost_its_blank_or_kept_its_quotes() {
    let log = render_log("%m [%p] %q%u@%d ");
    for template in ["%m [%p] %q%u@%d ", "%m [%p] %q%u@%d", "'%m [%p] %q%u@%d '", "'%m [%p] %q%u@%d'"] {
        let hints = Hints { prefix: Some(template.into()), ..Hints::default() };
        let dialect = Dialect::detect(log.as_bytes(), &hints).unwrap();
        assert_eq!(dialect.prefix(), Some("%m [%p] %q%u@%d "));
    }
}

#[test]
fn translated_logs_are_entries_and_name_their_language() {
    let stamp = "2026-11-23 14:59:16.162 UTC [7] u@d";
    let log = format!("{stamp} LOG:  Dauer: 1 ms\n{stamp} FEHLER:  x bei Zeichen 3\n{stamp} ANWEISUNG:  y\n");
    let dialect = detected(&log);
    assert_eq!(dialect.language(), Some("German"));
    assert_eq!(
        read(&dialect, log.as_bytes()),
        ["LOG u@d \"Dauer: 1 ms\"", "ERROR u@d \"x bei Zeichen 3\"", "Statement u@d \"y\""]
    );
    let log = format!("{stamp} ERREUR:  x\n{stamp} INSTRUCTION :  y\n");
    let dialect = detected(&log);
    assert_eq!(dialect.language(), Some("French"));
    assert_eq!(read(&dialect, log.as_bytes()), ["ERROR u@d \"x\"", "Statement u@d \"y\""]);
    let row = "2026-11-22 17:06:44.419 UTC,,,1,,6b032124.598b,5,,2026-11-22 17:06:44 UTC,,0,FEHLER,00000,\"x\",,,,,,,,,\"\"\n";
    assert_eq!(detected(row).language(), Some("German"));
    assert_eq!(read(&detected(row), row.as_bytes()), ["ERROR @ \"x\" 00000"]);
    assert_eq!(detected(&render_log("%m [%p] ")).language(), None);
}

#[test]
fn errors_say_what_was_seen() {
    assert_eq!(error(b" \n\n"), "the input is empty");
    assert_eq!(
        error(b"\xFF\xFEx\0"),
        "the input is UTF-16 text: convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)"
    );
    assert_eq!(
        error(b"\nhello \x1b[31mworld\n"),
        "no line looks like a PostgreSQL log entry; the first line is: xxxxx \u{FFFD}[99xxxxxx"
    );
    let hints = Hints { prefix: Some("%p ".into()), ..Hints::default() };
    assert_eq!(
        Dialect::detect(render_log("%m [%p] ").as_bytes(), &hints).unwrap_err().to_string(),
        "the prefix that was given (%p ) does not match; the first line is: 2026-11-23 14:59:01.001 UTC [977] LOG:…; %m [%p]  would"
    );
    // What looks like an entry in the middle of a statement is none: its values are not shown.
    let line = "values ('HUNTER', 'ERROR:  x') -- ä7\n";
    assert_eq!(shown(line.as_bytes()), "xxxxxx ('xxxxxx', 'xxxxx:  x') -- x9");
    let hints = Hints { format: Some(Format::Csv), ..Hints::default() };
    assert!(Dialect::detect(b"x\n", &hints).unwrap_err().to_string().starts_with("the input is not csvlog"));
}

/// A log in each frame says what it says bare.
#[test]
fn frames_do_not_change_what_is_said() {
    let bare_log = render_log("%m [%p] %q%u@%d ");
    let bare = read(&detected(&bare_log), bare_log.as_bytes());
    let quoted = |line: &str| serde_json::to_string(line).unwrap();
    type Frame<'f> = (&'f str, &'f dyn Fn(usize, &str) -> String);
    let frames: [Frame<'_>; 11] = [
        ("docker", &|_, line| {
            format!(
                "{{\"log\":{},\"stream\":\"stderr\",\"time\":\"2026-11-23T14:59:01.5Z\"}}\n",
                quoted(&format!("{line}\n"))
            )
        }),
        ("cri", &|n, line| {
            let (left, right) = line.split_at(if n % 4 == 0 { 20.min(line.len()) } else { 0 });
            let stamp = "2026-11-23T14:59:01.123456789Z stderr";
            if left.is_empty() {
                format!("{stamp} F {line}\n")
            } else {
                format!("{stamp} P {left}\n{stamp} F {right}\n")
            }
        }),
        ("compose", &|_, line| format!("postgres-1  | {line}\n")),
        ("pod", &|_, line| format!("[pod/db-0/postgres] {line}\n")),
        ("kubectl -t", &|_, line| format!("2026-11-23T14:59:01.123456789Z {line}\n")),
        ("cloudwatch", &|_, line| {
            if line.starts_with('\t') {
                format!("{line}\n")
            } else {
                format!("2026-11-23T14:59:01.000Z {line}\n")
            }
        }),
        ("aws logs tail", &|_, line| format!("2026-11-23T14:59:01.000000+00:00 mydb.0 {line}\n")),
        ("journald", &|_, line| {
            format!(
                "{{\"__REALTIME_TIMESTAMP\":\"1795446213708000\",\"_PID\":\"1\",\"SYSLOG_IDENTIFIER\":\"postgres\",\"MESSAGE\":{}}}\n",
                quoted(line)
            )
        }),
        ("cloud sql", &|_, line| {
            format!(
                "{{\"insertId\":\"x\",\"textPayload\":{},\"resource\":{{\"labels\":{{}}}}}}\n",
                quoted(line)
            )
        }),
        ("azure", &|_, line| {
            format!(
                "{{\"time\":\"2026-11-23T14:59:01Z\",\"category\":\"PostgreSQLLogs\",\"properties\":{{\"errorLevel\":\"LOG\",\"processId\":1,\"message\":{}}}}}\n",
                quoted(line)
            )
        }),
        ("fluent", &|_, line| {
            format!("{{\"@timestamp\":\"2026-11-23T14:59:01Z\",\"message\":{}}}\n", quoted(line))
        }),
    ];
    for (name, frame) in frames {
        let log: String = bare_log.lines().enumerate().map(|(n, line)| frame(n, line)).collect();
        let dialect = detected(&log);
        assert_eq!(dialect.format(), Format::Stderr, "{name}");
        assert_eq!(dialect.prefix(), Some("%m [%p] %q%u@%d "), "{name}");
        let said: Vec<_> = read(&dialect, log.as_bytes())
            .into_iter()
            .filter(|line| !line.starts_with("other_program"))
            .collect();
        assert_eq!(said, bare, "{name}");
        same_at_every_cut(&dialect, log.as_bytes());
    }
}

#[test]
fn an_array_over_many_lines() {
    let text =
        |text: &str| format!("  {{\n    \"insertId\": \"x\",\n    \"textPayload\": \"{text}\",\n  }},\n");
    let stamp = "2026-11-23 14:59:01.001 UTC [7]: [1-1] db=d,user=u";
    let log =
        format!("[\n{}{}]\n", text(&format!("{stamp} LOG:  a\\n\\tb")), text(&format!("{stamp} DETAIL:  c")));
    let dialect = detected(&log);
    assert_eq!(dialect.prefix(), Some("%m [%p]: [%l-1] db=%d,user=%u "));
    let said: Vec<_> =
        read(&dialect, log.as_bytes()).into_iter().filter(|line| !line.starts_with("other")).collect();
    assert_eq!(said, ["LOG u@d \"a\\nb\"", "Detail u@d \"c\""]);
}

#[test]
fn a_record_inside_of_a_frame() {
    let record = r#"{"timestamp":"2026-11-22 17:06:44.419 UTC","user":"u","dbname":"d","pid":1,"error_severity":"LOG","message":"x"}"#;
    let log = format!("2026-11-23T14:59:01.1Z stdout F {record}\n2026-11-23T14:59:01.1Z stdout F booting\n");
    let dialect = detected(&log);
    assert_eq!(dialect.format(), Format::Json);
    let said = read(&dialect, log.as_bytes());
    assert_eq!(said[0], "LOG u@d \"x\" 00000");
    assert!(said[1].starts_with("bad_json"), "{said:?}");
}

/// rsyslog's three templates, with another backend and another program between the pieces.
#[test]
fn syslog_pieces_find_their_message() {
    for (head, other) in [
        ("Nov 23 15:04:26 vm postgres[PID]: ", "Nov 23 15:04:26 vm cron[9]: (root) CMD\n"),
        ("2026-11-23T15:04:26.038765+00:00 vm postgres[PID]: ", "2026-11-23T15:04:26Z vm cron[9]: x\n"),
        (
            "<134>1 2026-11-23T15:04:26.038765+00:00 vm postgres PID - -  ",
            "<13>1 2026-11-23T15:04:26Z vm cron 9 - - x\n",
        ),
    ] {
        let line = |pid: &str, text: &str| format!("{}{text}\n", head.replace("PID", pid));
        let log = [
            line("7", "[5-1] [7] u@d LOG:  duration: 1 ms  statement: select"),
            line("7", "[5-2] #011 1, 2"),
            line("8", "[3-1] [8] u@d ERROR:  no"),
            other.to_owned(),
            line("7", "[5-3] , 3"),
            line("8", "[3-2] [8] u@d STATEMENT:  x"),
            line("8", "[4-1] [8] u@d LOG:  a#012#011b#012[8] u@d DETAIL:  c"),
        ]
        .concat();
        let dialect = detected(&log);
        assert_eq!(dialect.format(), Format::Syslog);
        assert_eq!(
            read(&dialect, log.as_bytes()),
            [
                "LOG u@d \"duration: 1 ms  statement: select\\n 1, 2\"",
                "ERROR u@d \"no\"",
                &format!("other_program {}", other.len()),
                "More @ \", 3\"",
                "Statement u@d \"x\"",
                "LOG u@d \"a\\nb\"",
                "Detail u@d \"c\"",
            ]
        );
        same_at_every_cut(&dialect, log.as_bytes());
    }
}

#[test]
fn herokus_drains() {
    let log = "2017-06-28T15:10:02+00:00 app[postgres.13761]: [DATABASE] [7-1]  sql_error_code = 00000 LOG:  duration: 4822.012 ms  statement: BEGIN;\n\
               2017-06-28T15:10:02+00:00 app[postgres.13761]: [DATABASE] [7-2]       SELECT 1\n\
               2017-06-28T15:10:03+00:00 app[web.1]: hello\n";
    let dialect = detected(log);
    assert_eq!(
        read(&dialect, log.as_bytes())[0],
        "LOG @ \"duration: 4822.012 ms  statement: BEGIN;\\n      SELECT 1\" 00000"
    );
}

#[test]
fn blanks_that_were_squeezed() {
    let log = "2021-05-27 17:00:00 UTC:10.1.91.65:user@my_db:[24743]:LOG: duration: 0.054 ms statement: SELECT 1;\n\
               2021-05-27 17:46:39 UTC:10.1.17.194:user@my_db:[19003]:ERROR: x LOG: y\n";
    let dialect = detected(log);
    // RDS writes %r; where ports are missing, the host is read all the same.
    assert_eq!(dialect.prefix(), Some("%t:%r:%u@%d:[%p]:"));
    let said =
        ["LOG user@my_db \"duration: 0.054 ms statement: SELECT 1;\"", "ERROR user@my_db \"x LOG: y\""];
    assert_eq!(read(&dialect, log.as_bytes()), said);
    let given = Hints { prefix: Some("%t:%h:%u@%d:[%p]:".into()), ..Hints::default() };
    assert_eq!(read(&Dialect::detect(log.as_bytes(), &given).unwrap(), log.as_bytes()), said);
}

/// Two entries of one session are all that some logs have.
#[test]
fn the_shortest_logs() {
    for template in [
        "%m [%p]: user=%u,db=%d,app=%a,client=%h ",
        "%t [%p]: [%l-1] [%x] usr=%u,db=%d,appli=%a ",
        "%m [%p]: user=%u,db=%d,app=%a,client=%h,xid=%x ",
        "%t:%r:%u@%d:[%p]:",
        "%m [%p] user=%u,db=%d ",
        "%t [%p]: db=%d,user=%u,app=%a,client=%h ",
    ] {
        let line = |n| crate::log::testing::render_prefix(template, &crate::log::testing::SPEAKERS[0], n);
        let log =
            format!("{}LOG:  duration: 1 ms  bind x: y\n{}DETAIL:  parameters: $1 = '1'\n", line(1), line(2));
        assert_eq!(
            read(&detected(&log), log.as_bytes()),
            ["LOG alice@shop \"duration: 1 ms  bind x: y\"", "Detail alice@shop \"parameters: $1 = '1'\""],
            "{template}"
        );
    }
}

/// What other tools' fixtures look like: squeezed blanks, and a prefix that some lines have in part.
#[test]
fn syslog_whose_prefix_changes_from_line_to_line() {
    let head = "Jan  1 00:00:15 pghost postgres[7001]: ";
    let log = [
        "[1-1] LOG: connection received: host=192.168.1.100 port=5432",
        "[2-1] user=app,db=shop,app=psql LOG: connection authorized: user=app database=shop",
        "[3-1] user=app,db=shop,app=psql LOG: duration: 45.23 ms statement: SELECT 'LOG: x';",
        "[4-1] user=app,db=shop,app=psql ERROR: x",
        "[5-1] user=app LOG: disconnection: session time: 0:07:10.234",
    ]
    .map(|message| format!("{head}{message}\n"))
    .concat();
    let dialect = detected(&log);
    assert_eq!(dialect.format(), Format::Syslog);
    assert_eq!(
        read(&dialect, log.as_bytes()),
        [
            "LOG @ \"connection received: host=192.168.1.100 port=5432\"",
            "LOG app@shop \"connection authorized: user=app database=shop\"",
            "LOG app@shop \"duration: 45.23 ms statement: SELECT 'LOG: x';\"",
            "ERROR app@shop \"x\"",
            "LOG @ \"disconnection: session time: 0:07:10.234\"",
        ]
    );
    same_at_every_cut(&dialect, log.as_bytes());
}

#[test]
fn a_stderr_log_with_squeezed_blanks_and_short_prefixes() {
    let log = "2025-01-01 00:00:15 CET [70010]: [1-1] LOG: connection received: host=192.168.1.100 port=5432\n\
               2025-01-01 00:00:15 CET [70010]: [2-1] user=app,db=shop,app=pgadmin LOG: connection authorized: user=app database=shop\n\
               2025-01-01 00:15:00 CET [70040]: [1-1] user=app,db=shop,app=app_server LOG: duration: 2150.88 ms statement: \n\
               \tSELECT 1\n";
    let dialect = detected(log);
    assert_eq!(dialect.prefix(), Some("%t [%p]: [%l-1] %quser=%u,db=%d,app=%a "));
    assert_eq!(
        read(&dialect, log.as_bytes()),
        [
            "LOG @ \"connection received: host=192.168.1.100 port=5432\"",
            "LOG app@shop \"connection authorized: user=app database=shop\"",
            "LOG app@shop \"duration: 2150.88 ms statement: \\nSELECT 1\"",
        ]
    );
}
