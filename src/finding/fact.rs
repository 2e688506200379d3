//! [`Fact`]: what the rules know about a statement, once per fingerprint: made of its shape and its normalised text, and
//! looked up for each step. It knows neither chunks nor reports.

use std::sync::Arc;

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::functions::{self, Called};
use super::wording::Wording;
use super::{MOST_PAIRS, column_id, naming};
use crate::sql::{Answer, Key, Kind, Shape, With};

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

/// The hash of a key's column. The value of one that tells nothing about the row (an alternative, a negation …)
/// tells calls apart, but is never that of a row that is written.
fn column_of(key: &Key, names: bool) -> u32 {
    if names { column_id(&key.column) } else { column_id(&format!("\0{}", key.column)) }
}

fn ids(tables: &[String]) -> Box<[u64]> {
    let mut ids: Vec<u64> = tables.iter().map(|table| table_id(table)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}

pub(super) fn is_catalogue(table: &str) -> bool {
    table.starts_with("pg_catalog.") || table.starts_with("information_schema.") || table.starts_with("pg_")
}

fn is_migrations(table: &str) -> bool {
    MIGRATIONS.contains(&table.rsplit('.').next().unwrap_or(table))
}

impl Fact {
    /// What `shape` and the normalised text with its `placeholders` say; `writing` are further functions that write.
    #[must_use]
    pub fn new(shape: &Shape, normalised: &str, placeholders: usize, writing: &[String]) -> Self {
        let words = Wording::of(normalised);
        let called = Called(&shape.functions);
        // Whoever lists a function knows why; what it writes nobody knows.
        let configured = shape.functions.iter().any(|name| writing.contains(name));
        let writes_by_call = called.any(functions::WRITING) || configured;
        let locks =
            called.any(functions::LOCKING) || called.any(functions::HOLDING) || words.first() == "lock";
        let acts = writes_by_call || locks || called.any(functions::STAYING) || called.any(functions::ACTING);
        // EXPLAIN plans what it explains, and with ANALYZE does it.
        let planned = shape.only_plans();
        let written: &[String] = if planned { &[] } else { &shape.writes };
        let select = shape.kind == Kind::Select && shape.explain.is_none() && shape.writes.is_empty();
        let question = select
            && shape.has_from
            && !shape.locking
            && !shape.temp
            && !acts
            && !called.any(functions::RANDOM)
            && !words.has(&["tablesample"])
            && !words.watches(&shape.reads)
            && !words.many;
        let verb = words.verb().unwrap_or(match shape.kind {
            _ if planned => Verb::Other,
            Kind::Select | Kind::Copy if shape.writes.is_empty() && !writes_by_call => match shape.explain {
                Some(_) => Verb::Other,
                None => Verb::Read,
            },
            Kind::Utility | Kind::Transaction | Kind::Cursor | Kind::Other => Verb::Other,
            _ => Verb::Write,
        });
        // It may do anything.
        let unknown = matches!(words.first(), "call" | "do");
        let (own, nested): (Vec<&Key>, Vec<&Key>) = shape.keys.iter().partition(|key| !key.nested);
        let Pairs { columns, parents, names } = Pairs::of(shape, &own, &nested, question, select);
        Self {
            kind: shape.does(),
            verb,
            reads: ids(&shape.reads),
            writes: ids(written),
            question,
            keyed: question && !shape.keys.is_empty(),
            by_id: question && own.iter().any(|key| key.sure && naming::is_id(&key.column, &key.tables)),
            asked: if question { asked_tables(&own, &shape.reads) } else { Box::default() },
            answer: Answer { ranged: shape.answer.ranged && own.len() <= MOST_PAIRS, ..shape.answer },
            with: compared_with(&own),
            page: words.is_page(),
            locking: shape.locking,
            depends: words.depends(called.any(functions::TIMED), called.any(functions::PERSONAL)),
            stays: unknown
                || locks
                || shape.locking && !planned
                || called.any(functions::STAYING)
                || words.is_serializable(verb)
                || matches!(words.first(), "notify" | "listen" | "unlisten"),
            pins: unknown || called.any(functions::HOLDING),
            values: shape.values && shape.reads.is_empty() && !shape.has_from,
            returning: shape.returning,
            skips: shape.skips,
            barrier: words.is_barrier(shape.kind, verb)
                || locks
                || configured
                || called.any(&["set_config", "dblink_exec"]),
            chains: matches!(verb, Verb::Commit | Verb::Rollback) && words.chains(),
            count: question && words.lower.starts_with("select count("),
            ignored: ignored(shape, &words, question),
            columns,
            keys: shape.keys.len().min(MOST_PAIRS) as u8,
            own_keys: own.len().min(MOST_PAIRS) as u8,
            parents,
            names,
            temporary: (shape.temp || words.is_unlogged()) && !shape.writes.is_empty(),
            placeholders,
        }
    }

    /// An error in place of a statement.
    #[must_use]
    pub fn failed() -> Self {
        Self { verb: Verb::Failed, barrier: false, ..Self::unknown() }
    }

    /// A statement that nothing is known about: it may do anything.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            kind: Kind::Other,
            verb: Verb::Other,
            reads: Box::default(),
            writes: Box::default(),
            question: false,
            keyed: false,
            asked: Box::default(),
            by_id: false,
            answer: Answer::default(),
            with: With::Value,
            page: false,
            locking: false,
            depends: Depends::Tables,
            stays: false,
            pins: false,
            values: false,
            returning: false,
            skips: false,
            barrier: true,
            chains: false,
            count: false,
            ignored: None,
            columns: Box::default(),
            keys: 0,
            own_keys: 0,
            parents: Box::default(),
            names: Box::default(),
            temporary: false,
            placeholders: 0,
        }
    }

    /// Whether rules about reading again look at it: a function in FROM may do anything, a table may not.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.question && self.ignored.is_none() && !self.reads.is_empty()
    }

    /// Whether it asks for a list rather than for a row: rows in some order, unless its key is the `id` of the one table
    /// that it reads. `ORDER BY id LIMIT 1` by such a key is how ORMs ask for the first.
    #[must_use]
    pub fn lists(&self) -> bool {
        self.answer.ordered && !(self.by_id && self.reads.len() == 1)
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

/// Why the rules leave a statement alone.
fn ignored(shape: &Shape, words: &Wording, question: bool) -> Option<Ignored> {
    let reads_only =
        |of: fn(&str) -> bool| question && !shape.reads.is_empty() && shape.reads.iter().all(|t| of(t));
    match shape.kind {
        Kind::Select if reads_only(is_catalogue) => Some(Ignored::Catalogue),
        Kind::Select if reads_only(is_migrations) => Some(Ignored::Migration),
        Kind::Select if words.is_validation() => Some(Ignored::Validation),
        Kind::Select if !shape.has_from && matches!(&*words.lower, "select ?" | "select") => {
            Some(Ignored::Ping)
        }
        Kind::Other if words.lower.is_empty() => Some(Ignored::Ping),
        Kind::Utility if words.first() == "set" || words.first() == "show" => Some(Ignored::Setting),
        _ => None,
    }
}

/// What a statement compares and writes, column by column: see the fields of [`Fact`] with these names.
struct Pairs {
    columns: Box<[(u32, u32)]>,
    parents: Box<[u64]>,
    names: Box<[u64]>,
}

impl Pairs {
    fn of(shape: &Shape, own: &[&Key], nested: &[&Key], question: bool, select: bool) -> Self {
        let column = |key: &Key| column_of(key, names_row(key, shape, select));
        let keys = own.iter().chain(nested).map(|key| (key.placeholder, column(key)));
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
            if let ([table], [key], []) = (&*shape.reads, own, nested) {
                names = naming::names(table);
                let own_id = naming::referred(&key.column).is_some_and(|name| names.contains(&name));
                if !key.sure || key.column != naming::ID && !own_id {
                    names.clear();
                }
            }
        }
        Self { columns: columns.into(), parents: parents.into(), names: names.into() }
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
