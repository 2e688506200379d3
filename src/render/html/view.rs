//! The words that the templates know: sections made of facts, tables, figures and notes. Plain values; whatever
//! came from a log has gone through `shown`, and the template engine escapes it.

use super::super::shown::{capped, one_line, shortened, visible};
use super::super::sql::Piece;
use super::super::totals::mean;
use super::chart;
use crate::units::{Micros, Timestamp};
use crate::words::{count, duration, instant, percent, permille};

/// A part of the page with its own heading and link.
pub(super) struct Section {
    /// Anchor.
    pub(super) id: &'static str,
    /// Heading.
    pub(super) title: String,
    /// A number beside the heading and in the menu; empty for none.
    pub(super) count: String,
    /// A sentence below the heading; may be empty.
    pub(super) intro: String,
    /// Superseded by the sortable table where scripts run, and shown where they do not.
    pub(super) ranking: bool,
    /// What it shows.
    pub(super) blocks: Vec<Block>,
}

impl Section {
    /// A section without anything in it yet.
    pub(super) fn new(id: &'static str, title: &str) -> Self {
        Self {
            id,
            title: title.to_owned(),
            count: String::new(),
            intro: String::new(),
            ranking: false,
            blocks: Vec::new(),
        }
    }

    /// With a number beside the heading.
    pub(super) fn count(mut self, n: u64) -> Self {
        self.count = count(n);
        self
    }

    /// With a sentence below the heading.
    pub(super) fn intro(mut self, text: impl Into<String>) -> Self {
        self.intro = text.into();
        self
    }

    /// With one more block.
    pub(super) fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// With a table below its caption, where it has rows.
    pub(super) fn with_rows(self, table: Table) -> Self {
        match table.rows.is_empty() {
            true => self,
            false => self.with(Block::Heading(table.caption.clone())).with(Block::Table(table)),
        }
    }

    /// With a table that opens from its caption, where it has rows.
    pub(super) fn with_folded(self, table: Table) -> Self {
        match table.rows.is_empty() {
            true => self,
            false => self.with(Block::Folded(table)),
        }
    }
}

/// One thing within a section.
pub(super) enum Block {
    /// A list of names and values.
    Facts(Vec<Fact>),
    /// A table.
    Table(Table),
    /// A table that opens from its caption.
    Folded(Table),
    /// Tables beside each other, where there is room.
    Pair(Vec<Table>),
    /// A chart with its caption; a table beside it says the same.
    Figure(Figure),
    /// A sentence.
    Note(String),
    /// What the log would need for this section.
    Missing(Missing),
    /// A heading within the section.
    Heading(String),
    /// Findings, each folded.
    Findings(Vec<FoldedFinding>),
    /// A forecast.
    Forecast(Box<ForecastView>),
    /// A text in a box, as a plan.
    Text(String),
}

/// A name and its value.
pub(super) struct Fact {
    /// The name.
    pub(super) name: String,
    /// The value.
    pub(super) value: String,
    /// Something smaller beside it; may be empty.
    pub(super) aside: String,
}

/// A fact.
pub(super) fn fact(name: &str, value: impl Into<String>) -> Fact {
    Fact { name: name.to_owned(), value: value.into(), aside: String::new() }
}

/// A fact with something smaller beside it.
pub(super) fn fact_with(name: &str, value: impl Into<String>, aside: impl Into<String>) -> Fact {
    Fact { name: name.to_owned(), value: value.into(), aside: aside.into() }
}

/// What a log lacks for a section.
pub(super) struct Missing {
    /// As `This log has no lock waits`.
    pub(super) what: &'static str,
    /// The line of postgresql.conf that would bring them; empty where nothing needs setting.
    pub(super) setting: &'static str,
}

/// A chart.
pub(super) struct Figure {
    /// What it shows.
    pub(super) caption: String,
    /// The drawing: markup of our own.
    pub(super) svg: String,
    /// Names of its colours, each with its class.
    pub(super) legend: Vec<(&'static str, &'static str)>,
    /// The same as a table, folded; without rows where a table beside says it.
    pub(super) table: Option<Table>,
}

/// A table.
pub(super) struct Table {
    /// What it lists, for those who do not see its surroundings.
    pub(super) caption: String,
    /// Its columns.
    pub(super) columns: Vec<Column>,
    /// Its rows.
    pub(super) rows: Vec<Vec<Cell>>,
    /// What it leaves out; empty for nothing.
    pub(super) more: String,
}

impl Table {
    /// A table without rows. A column's title begins with `#` where it holds numbers, and ends with `↓` or `↑`
    /// where the rows come sorted by it.
    pub(super) fn new(caption: impl Into<String>, titles: &[&str]) -> Self {
        let columns = titles.iter().map(|title| Column::of(title)).collect();
        Self { caption: caption.into(), columns, rows: Vec::new(), more: String::new() }
    }

    /// One row for each item, at most `limit`; the rest is counted below.
    pub(super) fn fill<T>(mut self, items: &[T], limit: usize, row: impl Fn(usize, &T) -> Vec<Cell>) -> Self {
        self.rows = items.iter().take(limit).enumerate().map(|(i, item)| row(i + 1, item)).collect();
        if items.len() > limit {
            self.more = format!("{} more in the JSON report.", count((items.len() - limit) as u64));
        }
        self
    }
}

/// A column.
pub(super) struct Column {
    /// Its title.
    pub(super) title: String,
    /// Whether it holds numbers.
    pub(super) numeric: bool,
    /// `ascending`, `descending` or `none`, as in `aria-sort`.
    pub(super) sorted: &'static str,
}

impl Column {
    fn of(title: &str) -> Self {
        let numeric = title.starts_with('#');
        let sorted = match title.chars().next_back() {
            Some('↓') => "descending",
            Some('↑') => "ascending",
            _ => "none",
        };
        Self { title: title.trim_matches(['#', '↓', '↑', ' ']).to_owned(), numeric, sorted }
    }
}

/// A cell.
pub(super) enum Cell {
    /// Words.
    Text(String),
    /// A name from the log, in a fixed-width face.
    Code(String),
    /// A number with what to sort it by.
    Number { value: u64, text: String },
    /// An instant.
    Time { value: u64, text: String },
    /// A number with a bar below it, and something smaller between them; may be empty.
    Share { value: u64, text: String, aside: String, svg: String },
    /// A statement that links to its row, or stands alone where the page has none.
    Sql { href: String, pieces: Vec<Piece> },
    /// Lines of text, the first one heavier; details folded where there are many.
    Lines { head: String, lines: Vec<(&'static str, String)> },
    /// A drawing of our own.
    Drawing { value: u64, svg: String },
}

impl Cell {
    /// A name or a text from the log, on one line.
    pub(super) fn name(text: &str) -> Self {
        Self::Text(shortened(&one_line(text), 200).into_owned())
    }

    /// The same in a fixed-width face.
    pub(super) fn code(text: &str) -> Self {
        Self::Code(shortened(&one_line(text), 200).into_owned())
    }

    /// A number that nobody knows. It comes last, however its column is sorted.
    pub(super) fn unknown() -> Self {
        Self::Number { value: 0, text: "–".to_owned() }
    }

    /// A count.
    pub(super) fn count(n: u64) -> Self {
        Self::Number { value: n, text: count(n) }
    }

    /// A count that is not always there.
    pub(super) fn count_or_dash(n: Option<u64>) -> Self {
        n.map_or_else(Self::unknown, Self::count)
    }

    /// A duration.
    pub(super) fn duration(us: Micros) -> Self {
        Self::Number { value: us.0, text: duration(us) }
    }

    /// A duration that is not always there.
    pub(super) fn duration_or_dash(us: Option<Micros>) -> Self {
        us.map_or_else(Self::unknown, Self::duration)
    }

    /// The average of a sum of durations.
    pub(super) fn average(us: Micros, calls: u64) -> Self {
        Self::duration_or_dash(mean(us, calls))
    }

    /// A number of bytes.
    pub(super) fn bytes(n: u64) -> Self {
        Self::Number { value: n, text: crate::words::bytes(n) }
    }

    /// An instant.
    pub(super) fn instant(at: Option<Timestamp>) -> Self {
        match at {
            Some(at) => Self::at(at, instant(at)),
            None => Self::Time { value: 0, text: "–".to_owned() },
        }
    }

    /// An instant in other words.
    pub(super) fn at(at: Timestamp, text: String) -> Self {
        Self::Time { value: at.0.max(0).unsigned_abs() / 1_000, text }
    }

    /// A count with its share of the whole, and a bar.
    pub(super) fn count_share(part: u64, whole: u64, class: &str) -> Self {
        Self::Share {
            value: part,
            text: count(part),
            aside: percent(part, whole),
            svg: chart::bar(permille(part, whole), class),
        }
    }

    /// A part of a whole, with a bar.
    pub(super) fn share(part: u64, whole: u64, class: &str) -> Self {
        if whole == 0 {
            return Self::unknown();
        }
        let permille = permille(part, whole);
        Self::Share {
            value: part,
            text: percent(part, whole),
            aside: String::new(),
            svg: chart::bar(permille, class),
        }
    }

    /// A duration with its share of the whole, and a bar; unknown where the whole is.
    pub(super) fn duration_share(us: Micros, whole: Micros, class: &str) -> Self {
        if whole.0 == 0 {
            return Self::unknown();
        }
        Self::Share {
            value: us.0,
            text: duration(us),
            aside: percent(us.0, whole.0),
            svg: chart::bar(permille(us.0, whole.0), class),
        }
    }
}

/// Any text of several lines, cut to `limit` bytes.
pub(super) fn block_of_text(text: &str, limit: usize) -> String {
    visible(&capped(text, limit)).into_owned()
}

/// A finding, folded.
pub(super) struct FoldedFinding {
    /// Anchor.
    pub(super) id: String,
    /// What kind, as people say it.
    pub(super) label: String,
    /// One line.
    pub(super) title: String,
    /// Its route; may be empty.
    pub(super) route: String,
    /// What could go, in statements.
    pub(super) statements: String,
    /// And in time.
    pub(super) time: String,
    /// What to do.
    pub(super) advice: String,
    /// What doing it brings.
    pub(super) gain: String,
    /// What the log shows.
    pub(super) why: String,
    /// The statement.
    pub(super) sql: Cell,
    /// Whether it is about the others as much as about the first.
    pub(super) about_several: bool,
    /// Other statements involved.
    pub(super) related: Vec<Cell>,
    /// One unit as a time line.
    pub(super) timeline: Vec<Moment>,
    /// What the time line shows.
    pub(super) unit: String,
}

/// A line of an example unit.
pub(super) struct Moment {
    /// Time since the first line.
    pub(super) offset: String,
    /// How long the call took.
    pub(super) duration: String,
    /// How many calls in a row; empty for one.
    pub(super) times: String,
    /// Whether the finding is about it.
    pub(super) marked: bool,
    /// The statement.
    pub(super) sql: Cell,
}

/// A forecast.
pub(super) struct ForecastView {
    /// Its model.
    pub(super) title: &'static str,
    /// What was assumed.
    pub(super) assumptions: String,
    /// Statements and, where it is known, time: before and after.
    pub(super) changes: Vec<BeforeAfter>,
    /// Further numbers.
    pub(super) numbers: Vec<Fact>,
    /// Numbers before and after, by kind.
    pub(super) kinds: Option<Table>,
    /// Its curves.
    pub(super) curves: Vec<Figure>,
    /// Per statement.
    pub(super) table: Option<Table>,
}

/// A number before and after a change.
pub(super) struct BeforeAfter {
    /// Of what.
    pub(super) name: &'static str,
    /// Before.
    pub(super) before: String,
    /// After.
    pub(super) after: String,
    /// The difference, in per cent.
    pub(super) change: String,
    /// `gain`, `loss` or `same`.
    pub(super) class: &'static str,
    /// A bar of what remains.
    pub(super) svg: String,
}
