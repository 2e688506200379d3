//! Both prefix matchers on the same table of lines.

use proptest::prelude::*;

use super::*;
use crate::log::entry::Severity;

/// Runs both matchers and shows what they agree on: `part | time | pid.start | user | db | app | host | text`.
fn seen(template: &str, line: &[u8]) -> String {
    let prefix = Prefix::compile(template);
    let shown = |kind: Line, head: &Head<'_>| match kind {
        Line::Begins(part, text) => {
            let part = match part {
                Part::Record(severity) => severity.as_str().to_owned(),
                other => format!("{other:?}"),
            };
            let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let names = [head.who.user, head.who.database, head.who.application, head.who.host].map(text_of);
            format!(
                "{part} | {} | {}.{} | {} | {}",
                head.time.map(|time| time.to_string()).unwrap_or_default(),
                head.session.pid,
                head.session.start,
                names.join(" | "),
                text_of(&line[text..])
            )
        }
        other => format!("{other:?}"),
    };
    let mut head = Head::default();
    let fast = prefix.begin(line, &mut head, &mut Clocks::new(0));
    let fast = (shown(fast, &head), format!("{:?}", head.fields));
    let mut head = Head::default();
    let slow = prefix.begin_slow(line, &mut head, &mut Clocks::new(0));
    let slow = (shown(slow, &head), format!("{:?}", head.fields));
    if fast.0 != "Continues" && fast.0 != "Foreign" {
        assert_eq!(fast, slow, "{template} on {:?}", String::from_utf8_lossy(line));
    }
    fast.0
}

/// Lines that are read one after the other say what each says alone, whatever was remembered of those before.
fn remembered(template: &str, lines: &[&[u8]]) {
    let prefix = Prefix::compile(template);
    let arena = Bump::new();
    let mut memo = Memo::default();
    let mut head = Head::default();
    let mut clocks = Clocks::new(0);
    let mut origins = std::collections::HashMap::new();
    for line in lines {
        let mut alone = Head::default();
        let expected = prefix.begin(line, &mut alone, &mut Clocks::new(0));
        let found = match prefix.again(line, &mut head, &mut clocks, &memo) {
            Some((part, text)) => Line::Begins(part, text),
            None => prefix.begin_anew(line, &mut head, &mut clocks, &mut memo, &arena),
        };
        assert_eq!(found, expected, "{template} on {:?}", String::from_utf8_lossy(line));
        if let Line::Begins(..) = found {
            let said =
                |head: &Head<'_>| format!("{:?} {:?} {:?}", head.time, head.session, head.whom(&arena));
            assert_eq!(said(&head), said(&alone), "{template} on {:?}", String::from_utf8_lossy(line));
            let fields = |head: &Head<'_>| (head.fields.query_id, head.fields.sqlstate);
            assert_eq!(fields(&head), fields(&alone));
            let whose = (alone.session, format!("{:?}", alone.who));
            if head.origin != 0 {
                assert_eq!(*origins.entry(head.origin).or_insert_with(|| whose.clone()), whose);
            }
        }
    }
}

#[test]
fn prefixes_are_remembered_by_backend() {
    let line = |pid: u32, number: u32, user: &str, word: &str| {
        format!("2026-11-23 14:59:16.{number:03} UTC [{pid}]: [{number}-1] user={user},db=d {word}:  x")
            .into_bytes()
    };
    let lines = [
        line(77, 1, "u", "LOG"),
        line(77, 2, "u", "LOG"),
        line(78, 10, "u", "ERROR"),
        line(77, 3, "v", "LOG"),
        line(77, 4, "u:", "DETAIL"),
        line(78, 11, "u", "STATEMENT"),
        line(7812345, 11, "u", "LOG"),
        line(7812346, 12, "u", "LOG"),
    ];
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    remembered("%m [%p]: [%l-1] user=%u,db=%d ", &lines);
    let prefix = Prefix::compile_guess("%m [%p]: [%l-1] user=%u,db=%d ");
    assert!(prefix.plan.is_some());
}

fn check(template: &str, line: &str, expected: &str) {
    assert_eq!(seen(template, line.as_bytes()), expected, "{template} on {line}");
}

const T: &str = "2026-11-23T14:59:16.162Z";

#[test]
fn debians_prefix() {
    let debian = "%m [%p] %q%u@%d ";
    let stamp = "2026-11-23 14:59:16.162 UTC [77]";
    check(debian, &format!("{stamp} u@d LOG:  x"), &format!("LOG | {T} | 77.0 | u | d |  |  | x"));
    check(debian, &format!("{stamp} LOG:  x"), &format!("LOG | {T} | 77.0 |  |  |  |  | x"));
    check(
        debian,
        &format!("{stamp} svc@corp@my shop ERROR:  x"),
        &format!("ERROR | {T} | 77.0 | svc@corp | my shop |  |  | x"),
    );
    check(
        debian,
        &format!("{stamp} [unknown]@[unknown] LOG:  x"),
        &format!("LOG | {T} | 77.0 |  |  |  |  | x"),
    );
    check(
        debian,
        &format!("{stamp} größe <b>@d HINT:  x"),
        &format!("Hint | {T} | 77.0 | größe <b> | d |  |  | x"),
    );
    check(
        debian,
        &format!("{stamp} u@d LOG:  u@d LOG:  x"),
        &format!("LOG | {T} | 77.0 | u | d |  |  | u@d LOG:  x"),
    );
    check(debian, &format!("{stamp} u@d PROTOCOLLO:  x"), "Foreign");
    check(debian, &format!("{stamp} u@d LOG: x"), "Foreign");
    check(debian, "select 1 -- LOG:  x", "Continues");
    check(debian, "2026-11-23 14:59:16.162 UTC [77", "Continues");
    check(debian, "2026-11-23 14:59:16 UTC [77] u@d LOG:  x", "Continues");
    check(debian, "", "Continues");
}

#[test]
fn the_database_ends_before_the_application() {
    let template = "%m [%p] %u@%d/%a ";
    let stamp = "2026-11-23 14:59:16.162 UTC [77]";
    check(
        template,
        &format!("{stamp} u@d/app v1 @ host/x LOG:  y"),
        &format!("LOG | {T} | 77.0 | u | d | app v1 @ host/x |  | y"),
    );
    check(
        template,
        &format!("{stamp} a@b@d/psql LOG:  y"),
        &format!("LOG | {T} | 77.0 | a@b | d | psql |  | y"),
    );
    check(
        template,
        &format!("{stamp} u@d/x:  LOG:  LOG:  y"),
        &format!("LOG | {T} | 77.0 | u | d | x:  |  | LOG:  y"),
    );
}

#[test]
fn every_escape() {
    check("%a|%b|%h|", "my app|client backend|::1|LOG:  x", "LOG |  | 0.0 |  |  | my app | ::1 | x");
    check("%r ", "10.0.0.1(5432) LOG:  x", "LOG |  | 0.0 |  |  |  | 10.0.0.1 | x");
    check("%r ", "fe80::1%eth0(5432) LOG:  x", "LOG |  | 0.0 |  |  |  | fe80::1%eth0 | x");
    check("%r ", "[local] LOG:  x", "LOG |  | 0.0 |  |  |  | [local] | x");
    check(
        "%t:%r:%u@%d:[%p]:",
        "2026-11-23 14:59:16 UTC:2001:db8::7(40000):app@shop:[7]:LOG:  x",
        "LOG | 2026-11-23T14:59:16Z | 7.0 | app | shop |  | 2001:db8::7 | x",
    );
    check(
        "%t:%h:%u@%d:[%p]:",
        "2026-11-23 14:59:16 UTC:2001:db8::7:app@shop:[7]:LOG:  x",
        "LOG | 2026-11-23T14:59:16Z | 7.0 | app | shop |  | 2001:db8::7 | x",
    );
    check(
        "%t:%h:%u@%d:[%p]:",
        "2026-11-23 14:59:16 UTC::@:[7]:LOG:  x",
        "LOG | 2026-11-23T14:59:16Z | 7.0 |  |  |  |  | x",
    );
    check(
        "%t:%h:%u@%d:[%p]:",
        "2026-11-23 14:59:16 UTC:10.0.0.1:a:b@c:[7]:LOG:  x",
        "LOG | 2026-11-23T14:59:16Z | 7.0 | a:b | c |  | 10.0.0.1 | x",
    );
    check("%L %p ", "127.0.0.1 5 LOG:  x", "LOG |  | 5.0 |  |  |  |  | x");
    check("%c ", "6b0455ba.36f4 LOG:  x", "LOG |  | 14068.1795446202 |  |  |  |  | x");
    check(
        "%n %P %Q %e %i %l %v %x %% ",
        "1795446213.708  -12 42P01 CREATE TABLE 3 4/5 6 % LOG:  x",
        "LOG | 2026-11-23T15:03:33.708Z | 0.0 |  |  |  |  | x",
    );
    check("%s %l ", "2026-11-23 15:03:33 UTC 9 LOG:  x", "LOG |  | 0.1795446213 |  |  |  |  | x");
    check("%v;%x;", ";0;LOG:  x", "LOG |  | 0.0 |  |  |  |  | x");
}

/// Backend types and command tags have blanks of their own.
#[test]
fn values_of_several_words() {
    let said = "LOG |  | 7.0 | web | shop |  |  | x";
    for backend in ["client backend", "dead-end client backend", "walsender", "pg_cron", ""] {
        check("%p %b %q%u@%d ", &format!("7 {backend} web@shop LOG:  x"), said);
    }
    check("%p %b %q%u@%d ", "7 autovacuum worker LOG:  x", "LOG |  | 7.0 |  |  |  |  | x");
    check("%p|%b|%u@%d|", "7|client backend|web@shop|LOG:  x", said);
    for tag in [
        "SELECT",
        "CREATE TABLE",
        "CREATE TABLE AS",
        "REFRESH MATERIALIZED VIEW",
        "UPDATE waiting",
        "idle",
        "idle in transaction",
        "idle in transaction (aborted)",
        "",
    ] {
        check("%p %i %u@%d ", &format!("7 {tag} web@shop LOG:  x"), said);
        check("%p %i %u %d ", &format!("7 {tag} web shop LOG:  x"), said);
    }
    check("%p %i %u %d ", "7 CREATE TABLE WEB SHOP LOG:  x", "LOG |  | 7.0 | WEB | SHOP |  |  | x");
    check("%p %i %u@%d ", "7 SELECT WEB@SHOP LOG:  x", "LOG |  | 7.0 | WEB | SHOP |  |  | x");
    check("%p %b %i ", "7 client backend CREATE TABLE LOG:  x", "LOG |  | 7.0 |  |  |  |  | x");
}

#[test]
fn padding_is_not_part_of_a_name() {
    check("%-10u %p ", "bob        7 LOG:  x", "LOG |  | 7.0 | bob |  |  |  | x");
    check("%10d %p ", "       bob 7 LOG:  x", "LOG |  | 7.0 |  | bob |  |  | x");
    check("%-4u %p ", "longname 7 LOG:  x", "LOG |  | 7.0 | longname |  |  |  | x");
    check("%-10u|", "          |LOG:  x", "LOG |  | 0.0 |  |  |  |  | x");
    check("%10p|", "        77|LOG:  x", "LOG |  | 77.0 |  |  |  |  | x");
    check("%-10p|", "77        |LOG:  x", "LOG |  | 77.0 |  |  |  |  | x");
}

#[test]
fn a_template_is_read_as_the_server_reads_it() {
    let template = |text: &str| Prefix::compile(text).template();
    assert_eq!(template("%m [%p] %q%u@%d "), "%m [%p] %q%u@%d ");
    assert_eq!(template("100%% %z%-10u %"), "100%% %-10u ");
    assert_eq!(Prefix::compile_guess("%m [%p]: user=%u ").template(), "%m [%p]: %quser=%u ");
    assert_eq!(Prefix::compile_guess("%u@%d ").template(), "%u@%d ");
}

#[test]
fn a_hostile_line_costs_a_bounded_search() {
    let line = format!("{}LOG:  x", "@ ".repeat(1000));
    let started = std::time::Instant::now();
    seen("%u@%d %a %h %i %b %u@%d %a %b %i !", line.as_bytes());
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn severities_are_postgresqls() {
    check("%p ", "1 DEBUG2:  x", "DEBUG |  | 1.0 |  |  |  |  | x");
    assert!(Severity::Panic.is_error());
}

proptest! {
    /// The straight matcher either steps aside or says what the search says.
    #[test]
    fn fast_and_slow_agree(
        template in "(%m |%t |)(\\[%p\\]|%p|%c)[ :](%q)?((%u@%d|%u|user=%u,db=%d|%r|%h|%a|%l|%x|%v|%e|%i|%b)[ ,:/]){0,4}",
        names in proptest::collection::vec("[a-zA-Z0-9@:/ ,\\[\\]=.()é]{0,9}|CREATE TABLE|client backend|10.0.0.1\\(5\\)|::1|\\[local\\]|::1\\(5\\)", 12),
        word in "(LOG|ERROR|DETAIL|FEHLER|OCHIBKA):  ",
    ) {
        let prefix = Prefix::compile(&template);
        let write = |names: &[String], number: &str, word: &str, session: bool| {
            let mut line = Vec::new();
            for (piece, name) in prefix.pieces.iter().zip(names.iter().cycle()) {
                match piece {
                    Piece::Literal(text) => line.extend_from_slice(text),
                    Piece::SessionOnly if !session => break,
                    Piece::SessionOnly => {}
                    Piece::Field { escape, .. } => line.extend_from_slice(match escape {
                        Escape::TimeMillis => b"2026-11-23 14:59:16.162 UTC",
                        Escape::Time => b"2026-11-23 14:59:16 UTC",
                        Escape::SessionId => b"6b0455ba.36f4",
                        Escape::SqlState => b"00000",
                        Escape::VirtualXid => b"3/14",
                        escape if escape.is_free() => name.as_bytes(),
                        _ => number.as_bytes(),
                    }),
                }
            }
            line.extend_from_slice(word.as_bytes());
            line.extend_from_slice(names[0].as_bytes());
            line
        };
        let line = write(&names, "42", &word, true);
        seen(&template, &line);
        let others = [
            write(&names, "42", "LOG:  ", true),
            write(&names, "43", "HINT:  ", true),
            write(&names, "42", "LOG:  ", false),
            write(&names[1..], "42", "DEBUG1:  ", true),
            write(&names[2..], "42", "STATEMENT:  ", true),
        ];
        let mut lines: Vec<&[u8]> = others.iter().map(Vec::as_slice).collect();
        lines.push(&line);
        remembered(&template, &[&lines[..], &lines[..]].concat());
    }
}
