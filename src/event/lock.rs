//! Lock waits (`log_lock_waits`), failed attempts (`log_lock_failures`, release 18) and deadlocks.
//!
//! Sources: `storage/lmgr/proc.c` (`ProcSleep`), `storage/lmgr/lock.c`, `storage/lmgr/deadlock.c`
//! (`DeadLockReport`), `storage/lmgr/lmgr.c` (`DescribeLockTag`, `XactLockTableWaitErrorCb`).

use super::cursor::Cursor;
use crate::units::Micros;

/// How a wait stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// `still waiting for`: `deadlock_timeout` has passed.
    Waiting,
    /// `acquired`: it is over.
    Acquired,
    /// `avoided deadlock`: the queue was rearranged, the wait goes on.
    Avoided,
    /// `detected deadlock while waiting for`: an ERROR follows, which counts the deadlock.
    Deadlock,
    /// `failed to acquire` and `could not obtain`: there will be no lock.
    Failed,
}

/// One record about a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockWait<'a> {
    /// Who waits.
    pub pid: u32,
    /// How it stands.
    pub outcome: Outcome,
    /// As `ShareLock`.
    pub mode: &'a [u8],
    /// As `transaction 880`.
    pub object: &'a [u8],
    /// How long, so far or in all.
    pub waited: Micros,
}

/// Understands `process 123 …`.
#[must_use]
pub fn wait(message: &[u8]) -> Option<LockWait<'_>> {
    const OUTCOMES: [(&str, Outcome); 6] = [
        (" still waiting for ", Outcome::Waiting),
        (" acquired ", Outcome::Acquired),
        (" avoided deadlock for ", Outcome::Avoided),
        (" detected deadlock while waiting for ", Outcome::Deadlock),
        (" failed to acquire ", Outcome::Failed),
        (" could not obtain ", Outcome::Failed),
    ];
    let mut cursor = Cursor::new(message);
    cursor.word("process ")?;
    let pid = cursor.pid()?;
    let outcome = OUTCOMES.iter().find_map(|(word, outcome)| cursor.word(word).map(|()| *outcome))?;
    let mode = cursor.until(" on ").filter(|mode| is_mode(mode))?;
    let mut times = cursor;
    let (object, waited) = match times.until_last(" after ") {
        Some(object) => (object, times.millis()?),
        // `could not obtain` did not wait.
        None if outcome == Outcome::Failed => (cursor.rest(), Micros(0)),
        None => return None,
    };
    let object = object.strip_suffix(b" by rearranging queue order").unwrap_or(object);
    is_object(object).then_some(LockWait { pid, outcome, mode, object, waited })
}

fn is_mode(mode: &[u8]) -> bool {
    mode.ends_with(b"Lock") && mode.len() <= 32 && mode.iter().all(u8::is_ascii_alphabetic)
}

/// Only what `DescribeLockTag` writes, so that a message made up by `RAISE LOG` cannot smuggle text into a report.
fn is_object(object: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b" (),[]._/".contains(byte);
    !object.is_empty() && object.len() <= 200 && object.iter().all(plain)
}

/// The object without the numbers that differ each time: `tuple (0,5) of relation 16451 of database 16384` is a
/// `tuple of relation 16451 of database 16384`, `transaction 880` a `transaction`.
#[must_use]
pub fn kind_of_object(object: &[u8]) -> String {
    let mut out = String::with_capacity(object.len());
    let mut before: &[u8] = b"";
    for word in object.split(|byte| *byte == b' ') {
        let number = word.iter().any(u8::is_ascii_digit) && !word.iter().any(u8::is_ascii_lowercase);
        let named = matches!(before, b"relation" | b"database" | b"class" | b"subscription");
        if !number || named {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(&String::from_utf8_lossy(word));
        }
        before = word;
    }
    out
}

/// Who holds the lock and who waits for it, from DETAIL.
#[must_use]
pub fn queue(detail: &[u8]) -> Option<(Vec<u32>, Vec<u32>)> {
    let mut cursor = Cursor::new(detail);
    cursor.word("Process holding the lock: ").or_else(|| cursor.word("Processes holding the lock: "))?;
    // Release 18 has a comma where a full stop was.
    let mut other = cursor;
    let holders = match cursor.until(". Wait queue: ") {
        Some(holders) => holders,
        None => {
            let holders = other.until(", Wait queue: ")?;
            cursor = other;
            holders
        }
    };
    Some((pids(holders), pids(cursor.rest())))
}

/// `1, 2.`; at most 100 of them.
fn pids(list: &[u8]) -> Vec<u32> {
    list.split(|byte| *byte == b',').filter_map(|pid| Cursor::new(pid.trim_ascii()).pid()).take(100).collect()
}

/// The relation whose tuple is waited for: `while updating tuple (0,5) in relation "hot"`.
#[must_use]
pub fn relation(context: &[u8]) -> Option<&[u8]> {
    let line = context.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"while "))?;
    let mut cursor = Cursor::new(line);
    cursor.until(" in relation \"")?;
    cursor.until_last("\"")
}

/// A deadlock as its DETAIL tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deadlock<'a> {
    /// Who waited for what.
    pub waits: Vec<DeadlockWait<'a>>,
    /// What each ran.
    pub statements: Vec<(u32, &'a [u8])>,
}

/// One process of a deadlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadlockWait<'a> {
    /// Who waits.
    pub pid: u32,
    /// As `ShareLock`.
    pub mode: &'a [u8],
    /// As `transaction 880`.
    pub object: &'a [u8],
    /// Who holds it.
    pub blocked_by: u32,
}

/// Understands the DETAIL of `deadlock detected`: lines of waits, then `Process 123: SQL` for each of them, whose
/// SQL may run over several lines.
#[must_use]
pub fn deadlock(detail: &[u8]) -> Deadlock<'_> {
    let mut deadlock = Deadlock::default();
    let mut place = 0;
    let mut starts: Vec<(u32, usize, usize)> = Vec::new();
    for line in detail.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        if starts.is_empty()
            && let Some(wait) = deadlock_wait(bare)
        {
            deadlock.waits.push(wait);
        } else if let Some((pid, text)) = statement_start(bare)
            && deadlock.waits.iter().any(|wait| wait.pid == pid)
            && starts.iter().all(|start| start.0 != pid)
        {
            starts.push((pid, place, place + text));
        }
        place += line.len();
    }
    for (number, (pid, _, from)) in starts.iter().enumerate() {
        let to = starts.get(number + 1).map_or(detail.len(), |next| next.1);
        deadlock.statements.push((*pid, detail[*from..to].trim_ascii_end()));
    }
    deadlock
}

fn deadlock_wait(line: &[u8]) -> Option<DeadlockWait<'_>> {
    let mut cursor = Cursor::new(line);
    cursor.word("Process ")?;
    let pid = cursor.pid()?;
    cursor.word(" waits for ")?;
    let mode = cursor.until(" on ").filter(|mode| is_mode(mode))?;
    let object = cursor.until("; blocked by process ").filter(|object| is_object(object))?;
    Some(DeadlockWait { pid, mode, object, blocked_by: cursor.pid()? })
}

/// `Process 123: SQL`: the process and where the SQL begins.
fn statement_start(line: &[u8]) -> Option<(u32, usize)> {
    let mut cursor = Cursor::new(line);
    cursor.word("Process ")?;
    let pid = cursor.pid()?;
    cursor.word(": ").or_else(|| (cursor.rest() == b":").then_some(()))?;
    Some((pid, line.len() - cursor.rest().len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome() {
        type Expected = Option<(Outcome, &'static str, &'static str, u64)>;
        let cases: [(&str, Expected); 10] = [
            (
                "process 11124 still waiting for ShareLock on transaction 880 after 100.076 ms",
                Some((Outcome::Waiting, "ShareLock", "transaction 880", 100_076)),
            ),
            (
                "process 1 acquired ExclusiveLock on tuple (0,5) of relation 16451 of database 16384 after 397.187 ms",
                Some((
                    Outcome::Acquired,
                    "ExclusiveLock",
                    "tuple (0,5) of relation 16451 of database 16384",
                    397_187,
                )),
            ),
            (
                "process 1 avoided deadlock for AccessShareLock on relation 5 of database 6 by rearranging queue order after 1000.5 ms",
                Some((Outcome::Avoided, "AccessShareLock", "relation 5 of database 6", 1_000_500)),
            ),
            (
                "process 1 detected deadlock while waiting for ShareLock on transaction 885 after 100.133 ms",
                Some((Outcome::Deadlock, "ShareLock", "transaction 885", 100_133)),
            ),
            (
                "process 1 failed to acquire ShareLock on advisory lock [5,0,77,1] after 3 ms",
                Some((Outcome::Failed, "ShareLock", "advisory lock [5,0,77,1]", 3_000)),
            ),
            (
                "process 1 could not obtain AccessExclusiveLock on relation 5 of database 6",
                Some((Outcome::Failed, "AccessExclusiveLock", "relation 5 of database 6", 0)),
            ),
            ("process 1 still waiting for ShareLock on transaction 880", None),
            ("process 1 acquired ShareLock on 'secret' after 1.0 ms", None),
            ("process 1 acquired the habit on time after 1.0 ms", None),
            ("process x acquired ShareLock on transaction 1 after 1.0 ms", None),
        ];
        for (message, expected) in cases {
            let found =
                wait(message.as_bytes()).map(|wait| (wait.outcome, wait.mode, wait.object, wait.waited.0));
            let expected = expected
                .map(|(outcome, mode, object, waited)| (outcome, mode.as_bytes(), object.as_bytes(), waited));
            assert_eq!(found, expected, "{message}");
        }
    }

    #[test]
    fn objects_without_what_differs_each_time() {
        for (object, kind) in [
            ("relation 16384 of database 5", "relation 16384 of database 5"),
            ("extension of relation 16384 of database 5", "extension of relation 16384 of database 5"),
            ("page 3 of relation 16384 of database 5", "page of relation 16384 of database 5"),
            ("tuple (0,5) of relation 16451 of database 16384", "tuple of relation 16451 of database 16384"),
            ("transaction 880", "transaction"),
            ("virtual transaction 3/42", "virtual transaction"),
            ("speculative token 1 of transaction 880", "speculative token of transaction"),
            ("object 7 of class 1259 of database 5", "object of class 1259 of database 5"),
            ("user lock [5,1,2]", "user lock"),
            ("advisory lock [5,0,77,1]", "advisory lock"),
            (
                "remote transaction 9 of subscription 8 of database 7",
                "remote transaction of subscription 8 of database 7",
            ),
        ] {
            assert_eq!(kind_of_object(object.as_bytes()), kind);
        }
    }

    #[test]
    fn who_blocks() {
        assert_eq!(
            queue(b"Process holding the lock: 11119. Wait queue: 11124."),
            Some((vec![11119], vec![11124]))
        );
        assert_eq!(
            queue(b"Processes holding the lock: 1, 2. Wait queue: 3, 4."),
            Some((vec![1, 2], vec![3, 4]))
        );
        assert_eq!(queue(b"Process holding the lock: 7. Wait queue: ."), Some((vec![7], vec![])));
        assert_eq!(queue(b"Process holding the lock: 7, Wait queue: ."), Some((vec![7], vec![])));
        assert_eq!(queue(b"Something else."), None);
    }

    #[test]
    fn the_relation_of_a_tuple() {
        assert_eq!(relation(b"while updating tuple (0,5) in relation \"hot\""), Some(&b"hot"[..]));
        assert_eq!(
            relation(b"while inserting index tuple (0,5) in relation \"a \"b\"\"\nSQL statement \"in relation \"x\"\""),
            Some(&b"a \"b\""[..])
        );
        assert_eq!(relation(b"SQL statement \"SELECT 1\""), None);
    }

    #[test]
    fn a_deadlock_of_two_with_statements_of_several_lines() {
        let detail = b"Process 11 waits for ShareLock on transaction 885; blocked by process 12.\n\
            Process 12 waits for ShareLock on transaction 884; blocked by process 11.\n\
            Process 11: update hot\n set n=0\nProcess 99: no process of this deadlock\n where id=7\n\
            Process 12: update hot set n=0 where id=6";
        let deadlock = deadlock(detail);
        assert_eq!(deadlock.waits.len(), 2);
        assert_eq!(
            deadlock.waits[0],
            DeadlockWait { pid: 11, mode: b"ShareLock", object: b"transaction 885", blocked_by: 12 }
        );
        assert_eq!(
            deadlock.statements,
            [
                (11, &b"update hot\n set n=0\nProcess 99: no process of this deadlock\n where id=7"[..]),
                (12, b"update hot set n=0 where id=6"),
            ]
        );
    }
}
