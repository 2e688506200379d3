//! [`Step`]: one executed call as the rules see it, and [`Fact`]: what the rules know about its statement.
//!
//! A step is small and `Copy`: a unit of work is a slice of them. A fact is made once per fingerprint, of the statement's
//! normalised text, and looked up for each step. Neither knows chunks or reports.

use std::sync::Arc;

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::naming;
use crate::bounded::spread;
use crate::sql::{Answer, Key, Kind, Shape, With};
use crate::units::Timestamp;

/// Column-and-value pairs kept of one call: those of WHERE first, then those that are written.
pub const MOST_PAIRS: usize = 6;

/// The time of a step that the log gives none.
pub const NO_TIME: Timestamp = Timestamp(i64::MIN);

/// What stands for a statement where one failed.
pub const FAILURE: u64 = 1;

/// One executed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When it ended, as logged; [`NO_TIME`] without a time.
    pub time: Timestamp,
    /// Its duration in microseconds; 0 without one.
    pub duration: u64,
    /// Its place: byte of its stream.
    pub at: u64,
    /// Its statement; 0 for the edge of a session, [`FAILURE`] for a failure.
    pub fingerprint: u64,
    /// Hash of its parameters, where they are known.
    pub params: u64,
    /// Hash of its route; 0 without one.
    pub route: u64,
    /// Hash of the trace or request that it says it belongs to; 0 without one.
    pub tag: u64,
    /// Hashes of column and value: what WHERE compares by equality, then what is written; 0 beyond the last.
    pub pairs: [u32; MOST_PAIRS],
    /// The rest.
    pub marks: Marks,
}

/// The small things about a call, in one word: what is written in pieces and read as a whole a moment later, a
/// processor waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks(u64);

impl Marks {
    const KNOWN: u64 = 1 << 8;
    const TRACE: u64 = 1 << 9;

    /// What is answered below, in one word.
    #[inline(always)]
    #[must_use]
    pub fn new(keys: u8, rows: u32, ignore: u16, known: bool, trace: bool) -> Self {
        let flags = (u64::from(known) * Self::KNOWN) | (u64::from(trace) * Self::TRACE);
        Self(u64::from(keys) | flags | (u64::from(ignore) << 16) | (u64::from(rows) << 32))
    }

    /// How many of [`Step::pairs`] stand in WHERE, outside of subqueries.
    #[inline(always)]
    #[must_use]
    pub fn keys(self) -> usize {
        usize::from(self.0 as u8)
    }

    /// Whether the parameters of the call are known, or it has none.
    #[inline(always)]
    #[must_use]
    pub fn is_known(self) -> bool {
        self.0 & Self::KNOWN != 0
    }

    /// Whether the tag is a trace id rather than a request id.
    #[must_use]
    pub fn is_trace(self) -> bool {
        self.0 & Self::TRACE != 0
    }

    /// Rules that its query comment asks to be left out of, as bits of [`super::Rule`].
    #[must_use]
    pub fn ignore(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Rows of its VALUES list.
    #[inline(always)]
    #[must_use]
    pub fn rows(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl Step {
    /// The edge of a session: nothing goes on across it.
    #[must_use]
    pub fn edge(time: Timestamp, at: u64) -> Self {
        Self {
            time,
            duration: 0,
            at,
            fingerprint: 0,
            params: 0,
            route: 0,
            tag: 0,
            pairs: [0; MOST_PAIRS],
            marks: Marks::default(),
        }
    }

    /// Whether this is no call but the edge of a session.
    #[must_use]
    pub fn is_edge(&self) -> bool {
        self.fingerprint == 0
    }

    /// A failure: the transaction that it happened in is lost.
    #[must_use]
    pub fn failure(time: Timestamp, at: u64) -> Self {
        Self { fingerprint: FAILURE, ..Self::edge(time, at) }
    }

    /// Whether this is a call, and neither an edge nor a failure.
    #[must_use]
    pub fn is_call(&self) -> bool {
        self.fingerprint > FAILURE
    }

    /// Whether its parameters are known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.marks.is_known()
    }

    /// When it began; the end where there is no duration.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        Timestamp(self.time.0.saturating_sub_unsigned(self.duration))
    }

    /// Microseconds between the end of this call and the start of the next; 0 when they overlap or have no time.
    #[must_use]
    pub fn wait_before(&self, next: &Self) -> u64 {
        self.wait_until(next.start())
    }

    /// Microseconds between the end of this call and a later moment; 0 when it is none or either has no time.
    #[must_use]
    pub fn wait_until(&self, moment: Timestamp) -> u64 {
        if self.time == NO_TIME || moment == NO_TIME {
            return 0;
        }
        u64::try_from(moment.0.saturating_sub(self.time.0)).unwrap_or(0)
    }

    /// What WHERE compares.
    #[must_use]
    pub fn keys(&self) -> &[u32] {
        &self.pairs[..self.marks.keys().min(MOST_PAIRS)]
    }

    /// A hash of what WHERE compares.
    #[must_use]
    pub fn row(&self) -> u64 {
        self.keys().iter().fold(0, |row, key| spread(row ^ u64::from(*key)))
    }

    /// Whether all that `self` asks by was named by `write`: its key, or what it wrote. Only if the one asks about a
    /// table that the other writes ([`Fact::asks_about`]), that is the same row.
    #[must_use]
    pub fn asks_for(&self, write: &Self) -> bool {
        self.asks_by(&write.pairs)
    }

    /// Whether all that `self` asks by is among `pairs`.
    #[must_use]
    pub fn asks_by(&self, pairs: &[u32]) -> bool {
        let keys = self.keys();
        // 0 is a value that is not known, as those of a list are: it names no row.
        !keys.is_empty() && keys.iter().all(|key| *key != 0 && pairs.contains(key))
    }
}

/// What a statement does to the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// A SELECT or COPY that writes nothing.
    Read,
    /// Something that changes tables or may do so.
    Write,
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT, END, PREPARE TRANSACTION.
    Commit,
    /// ROLLBACK, ABORT.
    Rollback,
    /// A whole transaction in one query, as `BEGIN; INSERT …; COMMIT`.
    Whole,
    /// Anything else: SET, SHOW, savepoints, cursors …
    Other,
    /// No statement, but an error: whatever its transaction did is lost, unless it goes back to a savepoint.
    Failed,
}

/// What the answer to a question depends on, besides the tables that it reads and its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depends {
    /// On nothing.
    Tables,
    /// On the time: `now()`. A cache may keep it for a while, and never until something is written.
    Time,
    /// On who asks, or on a setting of his session: nothing that others share may keep it.
    Asker,
}

/// Why the rules leave a statement alone unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ignored {
    /// It reads the system catalogue alone.
    Catalogue,
    /// An ORM's uniqueness validation: `SELECT 1 AS one … LIMIT 1` and its like.
    Validation,
    /// A migration tool's list of what it has done.
    Migration,
    /// `SELECT 1` and the empty statement.
    Ping,
    /// SET and SHOW.
    Setting,
}

impl Ignored {
    /// The reason as the report gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue look-up",
            Self::Validation => "uniqueness validation",
            Self::Migration => "migration history",
            Self::Ping => "connection check",
            Self::Setting => "setting",
        }
    }
}

/// What the rules know about a statement, once per fingerprint.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Its kind.
    pub kind: Kind,
    /// What it does to the transaction.
    pub verb: Verb,
    /// Ids of the tables that it reads, sorted.
    pub reads: Box<[u64]>,
    /// Ids of the tables that it writes, sorted.
    pub writes: Box<[u64]>,
    /// It asks tables a question that another server or a cache could answer: a SELECT with FROM, without row
    /// locks, writing functions and temporary tables.
    pub question: bool,
    /// A question that compares a column with a value.
    pub keyed: bool,
    /// Ids of the tables whose rows its keys name, sorted: all of its own keys may be columns of them.
    pub asked: Box<[u64]>,
    /// Of a question: it asks for a row by the `id` of it.
    pub by_id: bool,
    /// What kind of answer it gives.
    pub answer: Answer,
    /// What its keys are compared with; one value, where one of them is.
    pub with: With,
    /// It asks for a page of its rows: LIMIT, OFFSET or FETCH FIRST.
    pub page: bool,
    /// It takes row locks.
    pub locking: bool,
    /// What a question's answer depends on besides its tables.
    pub depends: Depends,
    /// Its transaction cannot leave the primary, whether it writes or not: row locks, CALL, `nextval`, SERIALIZABLE …
    pub stays: bool,
    /// Reads that come soon after it stay there too, as after a write: CALL and DO, and a lock that is held on.
    pub pins: bool,
    /// An INSERT whose rows stand in a VALUES list.
    pub values: bool,
    /// It says what it wrote.
    pub returning: bool,
    /// An INSERT that may write nothing: `ON CONFLICT DO NOTHING`.
    pub skips: bool,
    /// Nothing read before it may be trusted after it: ROLLBACK, CALL, DO, LOCK, `SET search_path` …
    pub barrier: bool,
    /// It ends a transaction and begins the next one: `COMMIT AND CHAIN`.
    pub chains: bool,
    /// An answer that a count is: caches often keep those by time alone.
    pub count: bool,
    /// Why the rules leave it alone.
    pub ignored: Option<Ignored>,
    /// Placeholder and column hash of each pair, WHERE first, then what is written; of a SELECT, the `id` of the
    /// rows that foreign keys in WHERE point to. What names no row for sure has a hash of its own.
    pub columns: Box<[(u32, u32)]>,
    /// How many of `columns` stand in WHERE.
    pub keys: u8,
    /// How many of these stand outside of subqueries; they come first.
    pub own_keys: u8,
    /// Of a SELECT: the names of what the columns after the keys point to.
    pub parents: Box<[u64]>,
    /// Of a SELECT of one table by its `id` alone: the names by which other tables refer to it.
    pub names: Box<[u64]>,
    /// It makes a table that a replica does not have: a temporary or an unlogged one.
    pub temporary: bool,
    /// Values of a call, if no list of them was folded.
    pub placeholders: usize,
}

/// Functions that write; a SELECT that calls one is no question.
const WRITING: &[&str] =
    &["setval", "lo_create", "lo_from_bytea", "lo_import", "lo_put", "lo_unlink", "dblink_exec"];

/// Functions that write nothing which is flushed or read back, but must run where the others do: a sequence that goes
/// on (one call in 32 writes), locks, notices, transaction ids, other backends. No question either.
const STAYING: &[&str] = &[
    "nextval",
    "lastval",
    "currval",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_notify",
    "txid_current",
    "pg_current_xact_id",
    "pg_cancel_backend",
    "pg_terminate_backend",
];

/// Functions that take a lock until their transaction ends.
const LOCKING: &[&str] = &[
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
];

/// Functions that take a lock until it is given back.
const HOLDING: &[&str] =
    &["pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared"];

/// Functions with an effect that any server can have.
const ACTING: &[&str] = &["set_config", "pg_sleep", "pg_sleep_for", "pg_sleep_until"];

/// Functions with another answer each time.
const RANDOM: &[&str] = &[
    "random",
    "random_normal",
    "gen_random_bytes",
    "gen_random_uuid",
    "uuid_generate_v1",
    "uuid_generate_v4",
    "clock_timestamp",
    "timeofday",
];

/// Functions whose answer depends on the time.
const TIMED: &[&str] = &["now", "transaction_timestamp", "statement_timestamp", "age"];

/// The same without parentheses.
const TIMED_WORDS: &[&str] =
    &["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"];

/// Functions whose answer depends on who asks, or on a setting of the session.
const PERSONAL: &[&str] = &[
    "current_setting",
    "current_schema",
    "current_schemas",
    "pg_backend_pid",
    "pg_my_temp_schema",
    "row_security_active",
    "inet_client_addr",
    "inet_client_port",
];

/// The same without parentheses.
const PERSONAL_WORDS: &[&str] = &["current_user", "session_user", "current_role", "current_schema", "user"];

/// How the normalised text of an ORM's uniqueness validation begins: Rails, then Django (before 3.2, and since).
/// Those of Laravel and Sequel look like any other count of theirs, which may well be an N+1.
const VALIDATIONS: &[&str] =
    &["select ? as one from ", "select (?) as \"a\" from ", "select ? as \"a\" from "];

/// Tables in which migration tools keep what they have done: Django, Rails, Alembic, Flyway, Liquibase, Prisma,
/// Knex, Entity Framework, Doctrine, goose, sqlx, Diesel, Sequelize, refinery, Laravel and TypeORM (both
/// `migrations`), Phinx, node-pg-migrate, Drizzle, `MikroORM`, Hasura, yoyo, peewee, Atlas.
const MIGRATIONS: &[&str] = &[
    "django_migrations",
    "schema_migrations",
    "ar_internal_metadata",
    "alembic_version",
    "flyway_schema_history",
    "databasechangelog",
    "databasechangeloglock",
    "_prisma_migrations",
    "knex_migrations",
    "knex_migrations_lock",
    "__EFMigrationsHistory",
    "doctrine_migration_versions",
    "goose_db_version",
    "_sqlx_migrations",
    "__diesel_schema_migrations",
    "SequelizeMeta",
    "refinery_schema_history",
    "migrations",
    "typeorm_metadata",
    "phinxlog",
    "pgmigrations",
    "__drizzle_migrations",
    "mikro_orm_migrations",
    "hdb_version",
    "_yoyo_migration",
    "_yoyo_log",
    "_yoyo_version",
    "yoyo_lock",
    "migratehistory",
    "atlas_schema_revisions",
];

/// The id of a table.
#[must_use]
pub fn table_id(name: &str) -> u64 {
    xxh3_64(table_name(name).as_bytes())
}

/// The name of a table without `public.`: an application writes it or not, and means the same table.
#[must_use]
pub fn table_name(name: &str) -> &str {
    name.strip_prefix("public.").unwrap_or(name)
}

/// The hash of a column name, as it goes into a pair.
#[must_use]
pub fn column_id(name: &str) -> u32 {
    xxh3_64(name.as_bytes()) as u32
}

/// The hash of a key's column. The value of one that tells nothing about the row (an alternative, a negation …)
/// tells calls apart, but is never that of a row that is written.
fn column_of(key: &Key, names: bool) -> u32 {
    if names { column_id(&key.column) } else { column_id(&format!("\0{}", key.column)) }
}

/// One column and one value.
#[must_use]
pub fn pair(column: u32, value: u64) -> u32 {
    let mixed = (value ^ (u64::from(column) << 32 | u64::from(column))).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    // 0 means "no pair".
    ((mixed >> 32) as u32).max(1)
}

fn ids(tables: &[String]) -> Box<[u64]> {
    let mut ids: Vec<u64> = tables.iter().map(|table| table_id(table)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}

fn is_catalogue(table: &str) -> bool {
    table.starts_with("pg_catalog.") || table.starts_with("information_schema.") || table.starts_with("pg_")
}

fn is_migrations(table: &str) -> bool {
    MIGRATIONS.contains(&table.rsplit('.').next().unwrap_or(table))
}

impl Fact {
    /// What `shape` and the normalised text with its `placeholders` say; `writing` are further functions that write.
    #[must_use]
    pub fn new(shape: &Shape, normalised: &str, placeholders: usize, writing: &[String]) -> Self {
        let words = Words::of(normalised);
        let calls = |list: &[&str]| {
            let bare = |name: &String| name.rsplit('.').next().unwrap_or(name).to_owned();
            shape.functions.iter().map(bare).any(|name| list.contains(&&*name))
        };
        // Whoever lists a function knows why; what it writes nobody knows.
        let configured = shape.functions.iter().any(|name| writing.contains(name));
        let writes_by_call = calls(WRITING) || configured;
        let locks = calls(LOCKING) || calls(HOLDING) || words.first() == "lock";
        let acts = writes_by_call || locks || calls(STAYING) || calls(ACTING);
        // EXPLAIN plans what it explains, and with ANALYZE does it.
        let planned = shape.explain && !words.explains_by_doing();
        let written: &[String] = if planned { &[] } else { &shape.writes };
        let select = shape.kind == Kind::Select && !shape.explain && shape.writes.is_empty();
        let question = select
            && shape.has_from
            && !shape.locking
            && !shape.temp
            && !acts
            && !calls(RANDOM)
            && !words.has(&["tablesample"])
            && !words.watches(&shape.reads)
            && !words.many;
        let values = shape.values && shape.reads.is_empty() && !shape.has_from;
        let verb = words.verb().unwrap_or(match shape.kind {
            _ if planned => Verb::Other,
            Kind::Select | Kind::Copy if shape.writes.is_empty() && !writes_by_call => match shape.explain {
                true => Verb::Other,
                false => Verb::Read,
            },
            Kind::Utility | Kind::Transaction | Kind::Cursor | Kind::Other => Verb::Other,
            _ => Verb::Write,
        });
        // It may do anything.
        let unknown = matches!(words.first(), "call" | "do");
        let reads_only =
            |of: fn(&str) -> bool| question && !shape.reads.is_empty() && shape.reads.iter().all(|t| of(t));
        let ignored = match shape.kind {
            Kind::Select if reads_only(is_catalogue) => Some(Ignored::Catalogue),
            Kind::Select if reads_only(is_migrations) => Some(Ignored::Migration),
            Kind::Select if words.is_validation() => Some(Ignored::Validation),
            Kind::Select if !shape.has_from && matches!(&*words.lower, "select ?" | "select") => {
                Some(Ignored::Ping)
            }
            Kind::Other if words.lower.is_empty() => Some(Ignored::Ping),
            Kind::Utility if words.first() == "set" || words.first() == "show" => Some(Ignored::Setting),
            _ => None,
        };
        let (own, nested): (Vec<&Key>, Vec<&Key>) = shape.keys.iter().partition(|key| !key.nested);
        let asked = if question { asked_tables(&own, &shape.reads) } else { Box::default() };
        let column = |key: &Key| column_of(key, names_row(key, shape, select));
        let keys = own.iter().chain(&nested).map(|key| (key.placeholder, column(key)));
        let set = shape.written.iter().map(|key| (key.placeholder, column_id(&key.column)));
        let pairs = keys.chain(set).take(MOST_PAIRS);
        let mut columns: Vec<(u32, u32)> =
            pairs.map(|(placeholder, column)| (placeholder as u32, column)).collect();
        let (mut parents, mut names) = (Vec::new(), Vec::new());
        if question {
            for key in own.iter().take(MOST_PAIRS).filter(|key| key.sure) {
                if columns.len() < MOST_PAIRS
                    && let Some(parent) = naming::referred(&key.column)
                {
                    columns.push((key.placeholder as u32, column_id(naming::ID)));
                    parents.push(parent);
                }
            }
            if let ([table], [key], []) = (&*shape.reads, &*own, &*nested) {
                names = naming::names(table);
                let own_id = naming::referred(&key.column).is_some_and(|name| names.contains(&name));
                if !key.sure || key.column != naming::ID && !own_id {
                    names.clear();
                }
            }
        }
        Self {
            kind: shape.kind,
            verb,
            reads: ids(&shape.reads),
            writes: ids(written),
            question,
            keyed: question && !shape.keys.is_empty(),
            by_id: question && own.iter().any(|key| key.sure && naming::is_id(&key.column, &key.tables)),
            asked,
            answer: Answer { ranged: shape.answer.ranged && own.len() <= MOST_PAIRS, ..shape.answer },
            with: compared_with(&own),
            page: words.is_page(),
            locking: shape.locking,
            depends: words.depends(calls(TIMED), calls(PERSONAL)),
            stays: unknown
                || locks
                || shape.locking && !planned
                || calls(STAYING)
                || words.is_serializable(verb)
                || matches!(words.first(), "notify" | "listen" | "unlisten"),
            pins: unknown || calls(HOLDING),
            values,
            returning: shape.returning,
            skips: shape.skips,
            barrier: words.is_barrier(shape.kind, verb)
                || locks
                || configured
                || calls(&["set_config", "dblink_exec"]),
            chains: matches!(verb, Verb::Commit | Verb::Rollback) && words.chains(),
            count: question && words.lower.starts_with("select count("),
            ignored,
            columns: columns.into(),
            keys: shape.keys.len().min(MOST_PAIRS) as u8,
            own_keys: own.len().min(MOST_PAIRS) as u8,
            parents: parents.into(),
            names: names.into(),
            temporary: (shape.temp || words.is_unlogged()) && !shape.writes.is_empty(),
            placeholders,
        }
    }

    /// Whether rules about reading again look at it: a function in FROM may do anything, a table may not.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.question && self.ignored.is_none() && !self.reads.is_empty()
    }

    /// Whether its transaction writes: also a BEGIN or COMMIT that was sent together with a write.
    #[must_use]
    pub fn is_write(&self) -> bool {
        match self.verb {
            Verb::Write => true,
            Verb::Begin | Verb::Commit | Verb::Whole => !self.writes.is_empty(),
            Verb::Read | Verb::Rollback | Verb::Other | Verb::Failed => false,
        }
    }

    /// Whether it undoes what was done before: ROLLBACK, and ROLLBACK TO a savepoint.
    #[must_use]
    pub fn undoes(&self) -> bool {
        self.verb == Verb::Rollback || self.kind == Kind::Transaction && self.barrier
    }

    /// Whether its keys name rows of a table that is written.
    #[must_use]
    pub fn asks_about(&self, write: &Self) -> bool {
        self.asked.iter().any(|table| write.writes.binary_search(table).is_ok())
    }

    /// Whether nobody can tell afterwards what the rows of its tables are: DELETE, an UPDATE without a key …
    #[must_use]
    pub fn unsettles(&self) -> bool {
        match self.kind {
            Kind::Insert | Kind::Copy => false,
            Kind::Update => self.own_keys == 0,
            _ => true,
        }
    }

    /// Whether it writes a table that the question reads.
    #[must_use]
    pub fn touches(&self, question: &Self) -> bool {
        self.writes.iter().any(|table| question.reads.binary_search(table).is_ok())
    }
}

/// Whether the value of a key is that of the row that is asked for or written; what a subquery of a question compares
/// is left as it is. What INSERT compares are columns of what it reads.
fn names_row(key: &Key, shape: &Shape, select: bool) -> bool {
    let written = || key.tables.iter().any(|table| shape.writes.contains(table));
    match select {
        true => key.sure || key.nested,
        false => key.sure && !key.nested && shape.kind != Kind::Insert && written(),
    }
}

/// The ids of the tables to which all keys may belong.
fn asked_tables(own: &[&Key], reads: &[String]) -> Box<[u64]> {
    let may = |table: &&String| !own.is_empty() && own.iter().all(|key| key.tables.contains(table));
    let tables: Vec<String> = reads.iter().filter(may).cloned().collect();
    ids(&tables)
}

/// What all keys of a statement's own rows are compared with.
fn compared_with(own: &[&Key]) -> With {
    let any = |with: With| own.iter().any(|key| key.with == with);
    match () {
        () if own.is_empty() || any(With::Value) => With::Value,
        () if any(With::Array) => With::Array,
        () => With::List,
    }
}

struct Words {
    lower: String,
    /// More than one statement in one query.
    many: bool,
}

impl Words {
    fn of(normalised: &str) -> Self {
        let lower = normalised.trim().trim_end_matches(';').trim_end().to_ascii_lowercase();
        let many = lower.contains(';');
        Self { lower, many }
    }

    /// Whether it ends with LIMIT, OFFSET or FETCH FIRST.
    fn is_page(&self) -> bool {
        let end = self.lower.rsplit(')').next().unwrap_or("");
        [" limit ?", " offset ?", " fetch first ", " fetch next "].iter().any(|words| end.contains(words))
    }

    /// Whether it is an ORM's uniqueness validation. Ecto's is known by its aliases: `FROM "users" AS u0 WHERE (…)`.
    fn is_validation(&self) -> bool {
        let ecto = || {
            let from = self.lower.strip_prefix("select ? from \"")?;
            let (_, alias) = from.split_once("\" as ")?;
            let (name, rest) = alias.split_at_checked(2)?;
            let digit = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.ends_with('0');
            (digit && rest.starts_with(" where (")).then_some(())
        };
        self.lower.ends_with(" limit ?")
            && (VALIDATIONS.iter().any(|begin| self.lower.starts_with(begin)) || ecto().is_some())
    }

    fn first(&self) -> &str {
        self.lower.split([' ', '\n', '\t', ';', '(']).next().unwrap_or("")
    }

    fn verb(&self) -> Option<Verb> {
        let last = self.lower.rsplit(';').next().unwrap_or("").trim();
        let opens = matches!(self.first(), "begin" | "start");
        let closes = closing(last);
        match (opens, closes) {
            (true, Some(_)) => Some(Verb::Whole),
            (true, None) => Some(Verb::Begin),
            (false, closes) => closes,
        }
    }

    /// Whether it has one of these words, neither quoted nor behind a dot nor as an alias.
    fn has(&self, words: &[&str]) -> bool {
        words.iter().any(|word| {
            self.lower.match_indices(word).any(|(at, _)| {
                let before = &self.lower[..at];
                let after = self.lower[at + word.len()..].chars().next();
                let part = |next: char| next.is_alphanumeric() || matches!(next, '_' | '$' | '"' | '.');
                !before.ends_with(part) && !before.ends_with(" as ") && !after.is_some_and(part)
            })
        })
    }

    /// Whether it looks at what changes although nothing is seen to be written to it: the state of a sequence, or what
    /// the system shows of itself beside the tables of an application.
    fn watches(&self, reads: &[String]) -> bool {
        let catalogue = reads.iter().filter(|table| is_catalogue(table)).count();
        let sequence = reads.iter().any(|table| table.ends_with("_seq"));
        catalogue > 0 && catalogue < reads.len() || sequence && self.has(&["last_value", "is_called"])
    }

    /// Whether it makes a table whose rows no replica has.
    fn is_unlogged(&self) -> bool {
        self.lower.starts_with("create unlogged ")
            || [" into unlogged ", " set unlogged"].iter().any(|words| self.lower.contains(words))
    }

    /// What a question depends on; whether it calls a function that tells the time, or one that tells who asks.
    fn depends(&self, timed: bool, personal: bool) -> Depends {
        if personal || self.has(PERSONAL_WORDS) {
            Depends::Asker
        } else if timed || self.has(TIMED_WORDS) {
            Depends::Time
        } else {
            Depends::Tables
        }
    }

    /// Whether it is an EXPLAIN that does what it explains.
    fn explains_by_doing(&self) -> bool {
        let mut words = self.lower.split([' ', '(', ')', ',', '\n', '\t']).filter(|word| !word.is_empty());
        let mut options = words.by_ref().skip(1).take_while(|word| {
            !matches!(
                *word,
                "select" | "with" | "values" | "insert" | "update" | "delete" | "merge" | "create"
            )
        });
        let analyze = options.by_ref().any(|word| matches!(word, "analyze" | "analyse"));
        analyze && !matches!(options.next(), Some("off" | "false"))
    }

    /// Whether it makes a transaction serializable, which a replica cannot.
    fn is_serializable(&self, verb: Verb) -> bool {
        (matches!(verb, Verb::Begin | Verb::Whole) || self.lower.starts_with("set transaction"))
            && self.has(&["serializable"])
    }

    /// Whether it is a SET after which the same question may have another answer.
    fn changes_answers(&self) -> bool {
        let mut words = self.lower.split([' ', '=']).filter(|word| !word.is_empty());
        let set = words.next() == Some("set");
        let name = words.find(|word| !matches!(*word, "local" | "session"));
        set && name.is_some_and(|name| TELLING.contains(&name) || name.contains('.'))
    }

    /// Whether it ends a transaction and begins the next one.
    fn chains(&self) -> bool {
        self.lower.ends_with("and chain")
    }

    fn is_barrier(&self, kind: Kind, verb: Verb) -> bool {
        verb == Verb::Rollback
            || self.changes_answers()
            || (self.many && verb != Verb::Whole)
            || (kind == Kind::Transaction && self.lower.starts_with("rollback"))
            || matches!(self.first(), "call" | "do" | "discard" | "reset" | "execute")
            // Another table has the name from now on.
            || (self.first() == "alter" && (self.lower.contains(" rename ") || self.lower.contains(" set schema ")))
    }
}

/// Settings on which the answer to a question depends, besides those of extensions and applications, which have a dot
/// in their name: row-level security asks for them. A pooler that gives a backend to another client sends that client's
/// `application_name` first: what was asked before was asked by somebody else.
const TELLING: &[&str] = &["search_path", "role", "authorization", "row_security", "application_name"];

/// What a statement that ends a transaction does. `ROLLBACK TO` goes on in the same one.
fn closing(statement: &str) -> Option<Verb> {
    let mut words = statement.split_ascii_whitespace();
    match words.next()? {
        "commit" | "end" => Some(Verb::Commit),
        "prepare" if words.next() == Some("transaction") => Some(Verb::Commit),
        "abort" => Some(Verb::Rollback),
        "rollback" if !words.any(|word| word == "to") => Some(Verb::Rollback),
        _ => None,
    }
}

/// The facts by fingerprint. What is beyond [`MOST_FACTS`] is not judged.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    known: HashMap<u64, Arc<Fact>>,
}

/// Statements that the rules can tell apart.
pub const MOST_FACTS: usize = 1 << 18;

impl Facts {
    /// The fact of a fingerprint.
    #[must_use]
    pub fn get(&self, fingerprint: u64) -> Option<&Arc<Fact>> {
        self.known.get(&fingerprint)
    }

    /// Remembers a fact.
    pub fn insert(&mut self, fingerprint: u64, fact: Arc<Fact>) {
        if self.known.len() < MOST_FACTS {
            self.known.insert(fingerprint, fact);
        }
    }

    /// Adds what another part knows.
    pub fn merge(&mut self, other: Self) {
        if self.known.is_empty() {
            self.known = other.known;
            return;
        }
        for (fingerprint, fact) in other.known {
            self.insert(fingerprint, fact);
        }
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Arc<Fact>)> {
        self.known.iter().map(|(fingerprint, fact)| (*fingerprint, fact))
    }
}
