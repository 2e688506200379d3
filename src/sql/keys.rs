//! The columns that placeholders belong to, and what kind of answer a statement gives, by its tokens.
//!
//! One pass from left to right. It follows clauses and parentheses: a comparison tells something about a row only if
//! it stands in WHERE by itself or between ANDs, and only about the table whose column it is.

use super::canonical::{Canonical, Item, ItemKind};
use super::reserved::{begins_clause, is_reserved};
use super::shape::{Answer, Key, With};
use super::tables::name_text;

/// Comparisons kept of one statement.
const MOST_KEYS: usize = 256;
/// Tables of one FROM that are told apart.
const MOST_SOURCES: usize = 32;

/// Functions that make one row of several, besides those that begin with `AGGREGATE_STARTS` or end with `_agg`.
const AGGREGATES: &[&str] = &["count", "sum", "min", "max", "avg", "every", "xmlagg", "mode", "corr"];
const AGGREGATE_STARTS: &[&str] = &["bool_", "bit_", "stddev", "var_", "variance", "percentile_", "regr_"];

/// What may stand behind a comparison that holds by itself, besides `)` and `;`.
const ENDS: &[&str] = &[
    "and",
    "group",
    "order",
    "limit",
    "offset",
    "fetch",
    "for",
    "union",
    "intersect",
    "except",
    "having",
    "window",
    "returning",
    "on",
];

/// Operators that compare other than by equality.
const RANGES: &[&[u8]] =
    &[b"<", b">", b"<=", b">=", b"<>", b"!=", b"~", b"~*", b"!~", b"!~*", b"~~", b"~~*", b"!~~", b"!~~*"];

/// What the pass finds.
#[derive(Default)]
pub(super) struct Found {
    pub(super) compared: Vec<Key>,
    pub(super) written: Vec<Key>,
    pub(super) answer: Answer,
    /// `ON CONFLICT DO NOTHING`.
    pub(super) skips: bool,
}

/// Goes through the canonical tokens.
pub(super) fn find(canonical: &Canonical<'_>) -> Found {
    let items = &canonical.items;
    let mut walk = Walk {
        items,
        placeholders: canonical.placeholders(),
        frames: vec![Frame::query(0, false)],
        queries: vec![Vec::new()],
        assigned: Vec::new(),
        explained: vec![false; items.len()],
        ranges: false,
        from: None,
        found: Found::default(),
    };
    for at in 0..items.len() {
        walk.step(at);
    }
    walk.insert();
    walk.finish()
}

/// The clause that an item stands in, as far as keys care.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Clause {
    From,
    Where,
    Set,
    Other,
}

/// What an open parenthesis holds; the outermost one is the statement.
#[derive(Copy, Clone)]
struct Frame {
    clause: Clause,
    /// Its query, as a place in [`Walk::queries`].
    query: usize,
    /// A query begins with it.
    opens: bool,
    /// It is or stands in a subquery.
    nested: bool,
    /// What is compared in it holds if it holds, and it stands in WHERE by itself or between ANDs.
    plain: bool,
    /// The first of its comparisons that OR has not made alternatives yet.
    first: usize,
    /// It has an OR.
    either: bool,
}

impl Frame {
    fn query(query: usize, nested: bool) -> Self {
        Self { clause: Clause::Other, query, opens: true, nested, plain: true, first: 0, either: false }
    }
}

/// A table of a FROM, and the name that columns have before them.
struct Source {
    table: String,
    name: String,
}

struct Walk<'c, 'a> {
    items: &'c [Item<'a>],
    placeholders: Vec<usize>,
    /// Never empty: the outermost frame is not popped.
    frames: Vec<Frame>,
    queries: Vec<Vec<Source>>,
    /// Columns to which UPDATE gives another value.
    assigned: Vec<String>,
    /// Items that are values of keys of the statement's own rows, of ranges, or of LIMIT and OFFSET.
    explained: Vec<bool>,
    /// There is a comparison other than by equality.
    ranges: bool,
    /// Where FROM of the statement itself stands.
    from: Option<usize>,
    found: Found,
}

impl Walk<'_, '_> {
    fn word(&self, at: usize, word: &str) -> bool {
        self.items.get(at).is_some_and(|item| item.is_word(word))
    }

    fn any(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.word(at, word))
    }

    /// Whether one of these words stands right before.
    fn after(&self, at: usize, words: &[&str]) -> bool {
        at > 0 && self.any(at - 1, words)
    }

    fn symbol(&self, at: usize, text: &[u8]) -> bool {
        self.items.get(at).is_some_and(|item| item.kind == ItemKind::Symbol && item.text == text)
    }

    fn is_value(&self, at: usize) -> bool {
        self.items.get(at).is_some_and(|item| item.kind == ItemKind::Value)
    }

    fn name(&self, at: usize) -> Option<String> {
        let item = self.items.get(at)?;
        let name = match item.kind {
            ItemKind::Quoted => true,
            ItemKind::Word => !is_reserved(&item.text.to_ascii_lowercase()),
            ItemKind::Value | ItemKind::Symbol => false,
        };
        name.then(|| name_text(item))
    }

    fn frame(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn step(&mut self, at: usize) {
        let Some(item) = self.items.get(at) else { return };
        match item.kind {
            ItemKind::Symbol => self.symbols(at, item.text),
            // Behind a dot every word is a name.
            ItemKind::Word if at > 0 && self.symbol(at - 1, b".") => {}
            ItemKind::Word => self.words(at, &item.text.to_ascii_lowercase()),
            ItemKind::Quoted | ItemKind::Value => {}
        }
    }

    fn symbols(&mut self, at: usize, text: &[u8]) {
        match text {
            b"(" => self.open(at),
            b")" => self.close(at),
            b"," if self.frame().clause == Clause::From => self.source(at + 1),
            b"=" => self.comparison(at),
            _ if RANGES.contains(&text) => self.range(at),
            _ => {}
        }
    }

    fn words(&mut self, at: usize, word: &[u8]) {
        let clause = self.frame().clause;
        match word {
            b"where" => {
                let first = self.found.compared.len();
                let frame = self.frame();
                *frame = Frame { clause: Clause::Where, first, either: false, ..*frame };
            }
            b"set" => self.frame().clause = Clause::Set,
            b"select" => self.select(at),
            b"from" => self.from(at),
            b"join" if clause == Clause::From => self.source(at + 1),
            b"using" if self.name(at + 1).is_some() => self.source(at + 1),
            b"update" if !self.after(at, &["for", "do", "then", "key"]) => self.source(at + 1),
            b"into" if self.after(at, &["insert"]) => self.source(at + 1),
            b"group" | b"order" | b"returning" | b"having" | b"union" | b"intersect" | b"except" => {
                self.clause_begins(word);
            }
            b"limit" | b"offset" | b"fetch" => {
                self.frame().clause = Clause::Other;
                self.explain(at, 3);
            }
            b"or" if clause == Clause::Where => self.either(),
            b"in" => self.comparison(at),
            b"like" | b"ilike" | b"between" => self.range(at),
            b"nothing" => self.found.skips |= self.after(at, &["do"]),
            _ => self.function(at, word),
        }
    }

    fn open(&mut self, at: usize) {
        let outer = *self.frame();
        let first = self.found.compared.len();
        let asks = self.any(at + 1, &["select", "with"]);
        if asks || self.any(at + 1, &["insert", "update", "delete"]) {
            self.queries.push(Vec::new());
            let nested = outer.nested || asks && !self.is_whole_question(at);
            self.frames.push(Frame { first, ..Frame::query(self.queries.len() - 1, nested) });
            return;
        }
        let tables = outer.clause == Clause::From
            && (self.after(at, &["from", "join", "only", "lateral"])
                || at > 0 && (self.symbol(at - 1, b",") || self.symbol(at - 1, b"(")));
        let clause = match outer.clause {
            Clause::Where => Clause::Where,
            Clause::From if tables => Clause::From,
            _ => Clause::Other,
        };
        let plain = outer.plain && outer.clause == Clause::Where && self.leads(at);
        self.frames.push(Frame { clause, opens: false, plain, first, ..outer });
        if tables {
            self.source(at + 1);
        }
    }

    fn close(&mut self, at: usize) {
        if self.frames.len() == 1 {
            return;
        }
        if let Some(frame) = self.frames.pop()
            && !frame.opens
            && !self.ends(at + 1)
        {
            self.doubt(frame.first);
        }
    }

    /// Comparisons from `first` on tell nothing about a row.
    fn doubt(&mut self, first: usize) {
        self.found.compared.iter_mut().skip(first).for_each(|key| key.sure = false);
    }

    fn either(&mut self) {
        self.doubt(self.frames[self.frames.len() - 1].first);
        let first = self.found.compared.len();
        let frame = self.frame();
        (frame.first, frame.either) = (first, true);
    }

    /// Whether the parenthesis holds all that is asked: `SELECT EXISTS (SELECT …)`.
    fn is_whole_question(&self, at: usize) -> bool {
        at == 2 && self.word(0, "select") && self.word(1, "exists")
    }

    /// Whether a comparison or parenthesis at `at` stands by itself as far as what is before it tells.
    fn leads(&self, at: usize) -> bool {
        self.after(at, &["where", "and"]) || at > 0 && self.symbol(at - 1, b"(")
    }

    /// Whether a comparison may end before `at`.
    fn ends(&self, at: usize) -> bool {
        at >= self.items.len() || self.any(at, ENDS) || self.symbol(at, b")") || self.symbol(at, b";")
    }

    fn clause_begins(&mut self, word: &[u8]) {
        let frame = *self.frame();
        self.frame().clause = Clause::Other;
        if frame.opens && !frame.nested {
            let answer = &mut self.found.answer;
            answer.ordered |= word == b"order";
            answer.folds |= !matches!(word, b"order" | b"returning");
        }
    }

    fn select(&mut self, at: usize) {
        self.queries.push(Vec::new());
        let query = self.queries.len() - 1;
        let frame = self.frame();
        (frame.clause, frame.query) = (Clause::Other, query);
        if !frame.nested {
            self.found.answer.exists |= at > 0 && self.symbol(at - 1, b"(") && self.is_whole_question(at - 1);
            self.found.answer.folds |= self.word(at + 1, "distinct");
        }
    }

    fn from(&mut self, at: usize) {
        if self.after(at, &["distinct"]) || !self.frame().opens {
            return;
        }
        self.frame().clause = Clause::From;
        if !self.frame().nested {
            self.from.get_or_insert(at);
        }
        self.source(at + 1);
    }

    fn function(&mut self, at: usize, word: &[u8]) {
        let frame = *self.frame();
        if frame.nested || frame.clause != Clause::Other || !self.symbol(at + 1, b"(") {
            return;
        }
        let word = String::from_utf8_lossy(word);
        self.found.answer.folds |= AGGREGATES.contains(&&*word)
            || word.ends_with("_agg")
            || AGGREGATE_STARTS.iter().any(|start| word.starts_with(start));
    }

    /// The table whose name starts here, if one does.
    fn source(&mut self, mut at: usize) {
        while self.any(at, &["only", "lateral"]) {
            at += 1;
        }
        let Some(mut last) = self.name(at) else { return };
        let mut table = last.clone();
        at += 1;
        while self.symbol(at, b".")
            && let Some(part) = self.items.get(at + 1).map(name_text)
        {
            table.push('.');
            table.push_str(&part);
            (last, at) = (part, at + 2);
        }
        // A function's rows are nobody's.
        if self.symbol(at, b"(") && !self.after(at, &["into"]) && self.frame().clause == Clause::From {
            return;
        }
        let alias = self.alias(at);
        let query = self.frame().query;
        let sources = &mut self.queries[query];
        if sources.len() < MOST_SOURCES {
            sources.push(Source { table, name: alias.unwrap_or(last) });
        }
    }

    /// What stands behind the name of a table for it, if anything does.
    fn alias(&self, at: usize) -> Option<String> {
        if self.word(at, "as") {
            return self.name(at + 1);
        }
        let at = at + usize::from(self.symbol(at, b"*"));
        let clause = |item: &Item<'_>| begins_clause(&item.text.to_ascii_lowercase());
        self.name(at)
            .filter(|_| !self.items.get(at).is_some_and(|item| item.kind == ItemKind::Word && clause(item)))
    }

    /// The tables that a column of this query may belong to: one, if it says which.
    fn owners(&self, qualifier: Option<&str>) -> Vec<String> {
        let query = self.frames.last().map_or(0, |frame| frame.query);
        let sources = self.queries.get(query).map_or(&[][..], Vec::as_slice);
        let own = |source: &&Source| qualifier.is_none_or(|name| name == source.name);
        sources.iter().filter(own).map(|source| source.table.clone()).collect()
    }

    /// `column = ?`, `? = column`, `column IN (?)`, `column = ANY (?)` in WHERE; `column = ?` in SET.
    fn comparison(&mut self, at: usize) {
        let frame = *self.frame();
        if at == 0 || !matches!(frame.clause, Clause::Where | Clause::Set) {
            return;
        }
        if frame.clause == Clause::Set {
            return self.assignment(at);
        }
        let Some((column, start, value, end)) = self.sides(at) else { return };
        let Some(name) = self.name(column) else { return };
        let with = match () {
            () if self.word(at, "in") => With::List,
            () if self.word(at + 1, "any") => With::Array,
            () => With::Value,
        };
        let qualified = column >= 2 && self.symbol(column - 1, b".");
        let qualifier = qualified.then(|| name_text(&self.items[column - 2]));
        // `(row).column`: whose it is, nobody says.
        let tables = self.owners(qualifier.as_deref());
        let sure = frame.plain && !frame.either && self.leads(start) && self.ends(end);
        let placeholder = self.placeholders[value];
        self.explained[value] |= !frame.nested;
        if self.found.compared.len() < MOST_KEYS {
            let nested = frame.nested;
            self.found.compared.push(Key { column: name, placeholder, nested, with, tables, sure });
        }
    }

    /// Column and value of the comparison whose operator is at `at`: the column, where the comparison begins, the
    /// value, and where the comparison ends.
    fn sides(&self, at: usize) -> Option<(usize, usize, usize, usize)> {
        if let Some(value) = self.value_behind(at)
            && !self.word(at - 1, "not")
        {
            let mut start = at - 1;
            while start >= 2 && self.symbol(start - 1, b".") {
                start -= 2;
            }
            let open = (at + 1..value).filter(|between| self.symbol(*between, b"(")).count();
            let closed = (value + 1..).take_while(|end| self.symbol(*end, b")")).take(open).count();
            return Some((at - 1, start, value, value + 1 + closed));
        }
        if self.is_value(at - 1) && self.symbol(at, b"=") {
            let mut name = at + 1;
            while self.symbol(name + 1, b".") {
                name += 2;
            }
            return Some((name, at - 1, at - 1, name + 1));
        }
        None
    }

    /// The value right behind an operator, within parentheses or `ANY`.
    fn value_behind(&self, at: usize) -> Option<usize> {
        let within = |between| self.symbol(between, b"(") || self.word(between, "any");
        (at + 1..at + 4).find(|value| self.is_value(*value) && (at + 1..*value).all(within))
    }

    /// `column = …` in SET.
    fn assignment(&mut self, at: usize) {
        let Some(column) = self.name(at - 1) else { return };
        if self.after(at - 1, &["set"]) || at > 1 && self.symbol(at - 2, b",") {
            self.assigned.push(column.clone());
        }
        let Some(value) = self.value_behind(at) else { return };
        let placeholder = self.placeholders[value];
        self.found.written.push(Key::written(column, placeholder));
    }

    /// A comparison other than by equality: its values tell no rows apart.
    fn range(&mut self, at: usize) {
        let frame = *self.frame();
        if frame.nested || frame.clause != Clause::Where || at == 0 {
            return;
        }
        self.ranges = true;
        self.explained[at - 1] |= self.is_value(at - 1) && self.leads(at - 1);
        self.explain(at, 3);
        if self.word(at, "between") {
            let and = (at + 2..at + 6).find(|and| self.word(*and, "and"));
            and.into_iter().for_each(|and| self.explain(and, 3));
        }
    }

    /// The value within `reach` behind a word of the statement itself needs no other explanation.
    fn explain(&mut self, at: usize, reach: usize) {
        let within =
            |between| self.symbol(between, b"(") || self.any(between, &["first", "next", "symmetric"]);
        let value = (at + 1..=at + reach).find(|value| !within(*value));
        if let Some(value) = value.filter(|value| self.is_value(*value) && !self.frames_nested()) {
            self.explained[value] = true;
        }
    }

    fn frames_nested(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.nested)
    }

    /// `INSERT INTO t (a, b) VALUES (?, now())`: the columns whose cell is a placeholder.
    fn insert(&mut self) {
        let Some(into) = (0..self.items.len()).find(|at| self.word(*at, "into")) else { return };
        if into == 0 || !self.word(into - 1, "insert") {
            return;
        }
        let mut at = into + 2;
        while self.symbol(at, b".") {
            at += 2;
        }
        if self.word(at, "as") {
            at += 2;
        }
        if !self.symbol(at, b"(") {
            return;
        }
        let mut columns = Vec::new();
        while let Some(column) = self.items.get(at + 1).filter(|item| item.kind != ItemKind::Symbol) {
            columns.push(name_text(column));
            at += 2;
            if !self.symbol(at, b",") {
                break;
            }
        }
        while at < self.items.len() && !self.word(at, "values") {
            if self.word(at, "select") {
                return;
            }
            at += 1;
        }
        let (mut depth, mut cell, mut from) = (0_usize, 0, at + 2);
        for end in at + 1..self.items.len() {
            let (open, close) = (self.symbol(end, b"("), self.symbol(end, b")"));
            depth = if open { depth + 1 } else { depth.saturating_sub(usize::from(close)) };
            let last = close && depth == 0;
            if last || (depth == 1 && self.symbol(end, b",")) {
                if end == from + 1
                    && self.is_value(from)
                    && let Some(column) = columns.get(cell)
                {
                    let placeholder = self.placeholders[from];
                    self.found.written.push(Key::written(column.clone(), placeholder));
                }
                cell += 1;
                from = end + 1;
            }
            if last {
                return;
            }
        }
    }

    fn finish(mut self) -> Found {
        // What UPDATE finds by a value and gives another one is not found by it any more.
        for key in self.found.compared.iter_mut().filter(|key| !key.nested) {
            key.sure &= !self.assigned.contains(&key.column);
        }
        let from = self.from.unwrap_or(self.items.len());
        let free = (from..self.items.len()).any(|at| self.is_value(at) && !self.explained[at]);
        self.found.answer.ranged = self.ranges && !free;
        self.found
    }
}
