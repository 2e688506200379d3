//! The reference: a statement's canonical tokens, found the slow and obvious way.
//!
//! Tokens first, then values with their signs and casts, then lists, each pass over the whole statement. It
//! serves what runs once per distinct statement (normalised text, values, shapes), the statements whose operands
//! are names, and above all the tests: the fast digest must agree with it on every input.
//!
//! If you change a rule here, change fingerprint.rs, docs/fingerprint.md and, since stored fingerprints change
//! with it, the version.

mod lists;
mod naming;

use lists::{EndedList, Folded, fold_lists, insert_rows};

use super::hash::{Chain, Fingerprint, ValueHashes};
use super::lexer::{Lexer, Token, TokenKind, is_operator};
use super::literal::{Form, Literal};
use super::params::Params;
use super::types::{interval_fields_end, type_end, typed_string};
use super::words::{Role, begins_operand, is_type, may_be_prefix, names_a_type, role};

/// What a canonical token is.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum ItemKind {
    /// An unquoted word: a keyword or a name.
    Word,
    /// A name in double quotes.
    Quoted,
    /// A placeholder.
    Value,
    /// Everything else.
    Symbol,
}

/// A canonical token.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) struct Item<'a> {
    pub(super) kind: ItemKind,
    pub(super) text: &'a [u8],
}

/// A list that became one element.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) struct List {
    /// How many literals stand before its end.
    pub(super) literals: usize,
    /// Elements, at least 1.
    pub(super) count: u32,
    /// The elements are lists themselves.
    pub(super) nested: bool,
}

/// A statement in canonical form.
pub(super) struct Canonical<'a> {
    /// The tokens that the fingerprint covers.
    pub(super) items: Vec<Item<'a>>,
    /// What the placeholders replaced, in order; a list that became one placeholder has all its values here.
    pub(super) literals: Vec<Literal<'a>>,
    /// For each literal, the index of its item.
    pub(super) slots: Vec<usize>,
    /// The folded lists, in the order of their ends.
    pub(super) lists: Vec<List>,
    /// Rows of an INSERT's VALUES, 1 for an INSERT without, else 0.
    pub(super) rows: u32,
    /// The text ends inside a literal, a quoted name or a comment.
    pub(super) truncated: bool,
    /// There is a comment.
    pub(super) comments: bool,
}

/// The bytes that a placeholder has in the canonical stream. No token of SQL is a lone dollar.
pub(super) const PLACEHOLDER: &[u8] = b"$";

impl Canonical<'_> {
    /// The fingerprint, by its definition.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut chain = Chain::tokens();
        for item in &self.items {
            chain = chain.token(&item.canonical());
        }
        Fingerprint(chain.seal())
    }

    /// For each item, its number among the placeholders if it is one.
    pub(super) fn placeholders(&self) -> Vec<usize> {
        let mut next = 0;
        let number = |item: &Item<'_>| {
            next += usize::from(item.kind == ItemKind::Value);
            next.saturating_sub(1)
        };
        self.items.iter().map(number).collect()
    }

    /// The parameter hash, `None` when a value is not known.
    pub(super) fn params(&self, params: Option<&Params<'_>>) -> Option<(u64, ValueHashes)> {
        self.params_by(|literal| literal.hash(params))
    }

    /// The parameter hash of the values whose hashes `hash` says.
    pub(super) fn params_by(&self, hash: impl Fn(&Literal<'_>) -> Option<u64>) -> Option<(u64, ValueHashes)> {
        let (mut chain, mut values) = (Chain::values(), ValueHashes::default());
        let mut lists = self.lists.iter().peekable();
        for read in 0..=self.literals.len() {
            while let Some(list) = lists.next_if(|list| list.literals == read) {
                chain = chain.list(list.count, list.nested);
            }
            if let Some(literal) = self.literals.get(read) {
                let hash = hash(literal)?;
                chain = chain.link(hash);
                values.push(hash);
            }
        }
        Some((chain.seal(), values))
    }
}

impl Item<'_> {
    /// The token's bytes in the canonical stream.
    fn canonical(&self) -> Vec<u8> {
        match self.kind {
            ItemKind::Word => self.text.to_ascii_lowercase(),
            ItemKind::Quoted => quoted_canonical(self.text),
            ItemKind::Value => PLACEHOLDER.to_vec(),
            ItemKind::Symbol => self.text.to_vec(),
        }
    }

    pub(super) fn is_symbol(&self, text: &[u8]) -> bool {
        self.kind == ItemKind::Symbol && self.text == text
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == ItemKind::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }
}

/// `"user"` is `user`; what folding would change keeps its opening quote as a mark: `"User`.
pub(super) fn quoted_canonical(text: &[u8]) -> Vec<u8> {
    let open = memchr::memchr(b'"', text).map_or(text.len(), |at| at + 1);
    let body = &text[open..];
    let closed = body.last() == Some(&b'"');
    let body = if closed { &body[..body.len() - 1] } else { body };
    if folds_to_itself(body) {
        return body.to_vec();
    }
    let mut marked = vec![b'"'];
    marked.extend_from_slice(body);
    // A zero byte would end the token early; PostgreSQL has none in names.
    marked.retain(|b| *b != 0);
    marked
}

/// Would these bytes be the same name without quotes?
pub(super) fn folds_to_itself(name: &[u8]) -> bool {
    let start = |b: &u8| b.is_ascii_lowercase() || *b == b'_' || *b >= 0x80;
    name.first().is_some_and(start) && name.iter().all(|b| start(b) || b.is_ascii_digit() || *b == b'$')
}

/// `pg_temp_3` without its number.
pub(super) fn temp_schema(word: &[u8]) -> Option<&'static [u8]> {
    let lower = word.to_ascii_lowercase();
    for schema in ["pg_temp", "pg_toast_temp"] {
        let number = lower.strip_prefix(schema.as_bytes()).and_then(|rest| rest.strip_prefix(b"_"));
        if number.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)) {
            return Some(schema.as_bytes());
        }
    }
    None
}

/// The role of one item among others. After a dot, no word is a keyword.
fn role_at(items: &[Item<'_>], index: usize) -> Role {
    match items[index].kind {
        ItemKind::Word if index > 0 && items[index - 1].is_symbol(b".") => Role::Operand,
        ItemKind::Word => role(&items[index].text.to_ascii_lowercase()),
        ItemKind::Quoted | ItemKind::Value => Role::Operand,
        ItemKind::Symbol if items[index].text == b")" && ends_operator(items, index) => Role::Prefix,
        ItemKind::Symbol if matches!(items[index].text, b")" | b"]" | b".") => Role::Operand,
        ItemKind::Symbol => Role::Prefix,
    }
}

/// Does this parenthesis end an `OPERATOR(schema.+)`? Then what follows it is an operand.
fn ends_operator(items: &[Item<'_>], close: usize) -> bool {
    let operator = |item: &Item<'_>| item.kind == ItemKind::Symbol && is_operator(item.text[0]);
    items[..close].split_last().is_some_and(|(last, before)| operator(last) && opens_operator(before))
}

/// Do these items end in `OPERATOR (`, or that and schemas with their dots?
fn opens_operator(mut items: &[Item<'_>]) -> bool {
    while let [before @ .., schema, dot] = items
        && dot.is_symbol(b".")
        && matches!(schema.kind, ItemKind::Word | ItemKind::Quoted)
    {
        items = before;
    }
    match items {
        [.., dot, _, _] if dot.is_symbol(b".") => false,
        [.., operator, open] => operator.is_word("operator") && open.is_symbol(b"("),
        _ => false,
    }
}

/// Reads a statement into canonical form.
pub(super) fn canonical(sql: &[u8]) -> Canonical<'_> {
    let all: Vec<Token> = Lexer::new(sql).collect();
    let comments = all.iter().any(|token| token.kind == TokenKind::Comment);
    let truncated = all.last().is_some_and(|token| token.unterminated);
    let tokens = all.into_iter().filter(|token| token.kind != TokenKind::Comment).collect();
    let mut reader = Reader {
        sql,
        tokens,
        at: 0,
        items: Vec::new(),
        literals: Vec::new(),
        slots: Vec::new(),
        brackets: Vec::new(),
        semicolon: false,
        start: true,
        first: 0,
    };
    reader.read();
    let Reader { items, literals, slots, .. } = reader;
    let rows = insert_rows(&items);
    let Folded { items, moved, lists } = fold_lists(&items);
    let list = |ended: EndedList| List {
        literals: slots.partition_point(|slot| *slot <= ended.last),
        count: ended.count,
        nested: ended.nested,
    };
    let lists = lists.into_iter().map(list).collect();
    let slots = slots.into_iter().map(|slot| moved[slot]).collect();
    Canonical { items, literals, slots, lists, rows, truncated, comments }
}

/// The pass from tokens to items: values with their signs and casts, names that are values.
struct Reader<'a> {
    sql: &'a [u8],
    tokens: Vec<Token>,
    at: usize,
    items: Vec<Item<'a>>,
    literals: Vec<Literal<'a>>,
    slots: Vec<usize>,
    /// For each open parenthesis: is it that of OPTIONS?
    brackets: Vec<bool>,
    /// A semicolon was read, and nothing after it yet.
    semicolon: bool,
    /// The next token is the first of a statement.
    start: bool,
    /// The item that was the first of a statement last.
    first: usize,
}

impl<'a> Reader<'a> {
    fn read(&mut self) {
        while let Some(token) = self.token() {
            if token.text(self.sql) == b";" {
                self.semicolon = true;
                self.start = true;
                self.at += 1;
                continue;
            }
            if self.semicolon {
                self.semicolon = false;
                if !self.items.is_empty() {
                    self.symbol(b";");
                }
            }
            let start = std::mem::replace(&mut self.start, false);
            if start {
                self.first = self.items.len();
            }
            match token.kind {
                TokenKind::Word => {
                    if !(start && self.naming_statement()) {
                        self.word(token);
                    }
                }
                TokenKind::Quoted => self.name(token),
                TokenKind::Comment => self.at += 1,
                TokenKind::Operator => self.operator(token),
                TokenKind::Punctuation => self.punctuation(token),
                TokenKind::Stray => self.push(ItemKind::Symbol, token),
                TokenKind::Number
                | TokenKind::String
                | TokenKind::EscapeString
                | TokenKind::UnicodeString
                | TokenKind::BitString
                | TokenKind::DollarString
                | TokenKind::Parameter => self.literal(token),
            }
        }
    }

    fn token(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    fn text(&self, ahead: usize) -> &'a [u8] {
        self.tokens.get(self.at + ahead).map_or(b"", |token| token.text(self.sql))
    }

    fn next_is(&self, ahead: usize, word: &str) -> bool {
        let token = self.tokens.get(self.at + ahead);
        token.is_some_and(|token| {
            token.kind == TokenKind::Word && token.text(self.sql).eq_ignore_ascii_case(word.as_bytes())
        })
    }

    /// A name, or the placeholder that normalising made of one.
    fn next_is_name(&self, ahead: usize) -> bool {
        let token = self.tokens.get(self.at + ahead);
        token.is_some_and(|token| matches!(token.kind, TokenKind::Word | TokenKind::Quoted))
            || self.text(ahead) == b"?"
    }

    fn push(&mut self, kind: ItemKind, token: Token) {
        self.items.push(Item { kind, text: token.text(self.sql) });
        self.at += 1;
    }

    fn symbol(&mut self, text: &'static [u8]) {
        self.items.push(Item { kind: ItemKind::Symbol, text });
    }

    fn keyword(&mut self, text: &'static [u8]) {
        self.items.push(Item { kind: ItemKind::Word, text });
    }

    fn value(&mut self, form: Form, text: &'a [u8]) {
        self.slots.push(self.items.len());
        self.literals.push(Literal { form, text });
        self.items.push(Item { kind: ItemKind::Value, text: PLACEHOLDER });
    }

    /// The role of the last item, counted from the end.
    fn role_back(&self, back: usize) -> Role {
        self.items.len().checked_sub(back + 1).map_or(Role::Prefix, |index| role_at(&self.items, index))
    }

    /// Is the next token where an operand stands? Looks `back` items behind.
    fn operand_expected(&self, back: usize) -> bool {
        !matches!(
            self.role_back(back),
            Role::Operand
                | Role::Null
                | Role::True
                | Role::False
                | Role::TypeHead
                | Role::Naming
                | Role::Row
                | Role::Cast
                | Role::Array
                | Role::Options
        )
    }

    fn word(&mut self, token: Token) {
        let text = token.text(self.sql);
        if self.items.last().is_some_and(|last| last.is_symbol(b".")) {
            return self.name(token);
        }
        match role(&text.to_ascii_lowercase()) {
            Role::Null | Role::True | Role::False if self.truth_is_value(text) => {
                let form = match text[0] | 0x20 {
                    b'n' => Form::Null,
                    b't' => Form::True,
                    _ => Form::False,
                };
                self.value(form, text);
                self.at += 1;
            }
            Role::TypeHead => match typed_string(self.sql, &token) {
                Some(string) => {
                    self.skip_to(string.start);
                    self.literal_of_type(string, text.eq_ignore_ascii_case(b"interval"));
                }
                None => self.name(token),
            },
            Role::As if self.end_of_cast() => {}
            Role::Naming if text.eq_ignore_ascii_case(b"execute") && self.created_as() => {
                self.push(ItemKind::Word, token);
                self.varying_name();
            }
            _ if text.eq_ignore_ascii_case(b"of")
                && self.items.last().is_some_and(|last| last.is_word("current"))
                && !self.after_dot() =>
            {
                self.push(ItemKind::Word, token);
                self.varying_name();
            }
            _ => self.name(token),
        }
    }

    /// After the AS of `CREATE TABLE … AS`? Every other AS has a column's name behind it, and that may be EXECUTE.
    fn created_as(&self) -> bool {
        let [create, between @ .., last] = self.items.get(self.first..).unwrap_or_default() else {
            return false;
        };
        self.brackets.is_empty()
            && create.is_word("create")
            && last.is_word("as")
            && self.role_back(0) == Role::As
            && !between.iter().any(|item| item.is_word("as"))
    }

    /// A word or quoted name that stays.
    fn name(&mut self, token: Token) {
        let kind = if token.kind == TokenKind::Quoted { ItemKind::Quoted } else { ItemKind::Word };
        let text = token.text(self.sql);
        self.at += 1;
        let inner = text.strip_prefix(b"\"").map_or(text, |rest| rest.strip_suffix(b"\"").unwrap_or(rest));
        match temp_schema(inner) {
            Some(schema) if self.text(0) == b"." && (kind == ItemKind::Word || folds_to_itself(inner)) => {
                self.items.push(Item { kind: ItemKind::Word, text: schema });
            }
            _ => self.items.push(Item { kind, text }),
        }
    }

    /// Does NULL, TRUE or FALSE stand as a value here? Not in `IS NULL`, `IS NOT TRUE`, `NOT NULL`.
    fn truth_is_value(&self, text: &[u8]) -> bool {
        let null = text[0] | 0x20 == b'n';
        match self.role_back(0) {
            // `AS true` names a column.
            Role::Is | Role::As => false,
            Role::Not => !null && self.role_back(1) != Role::Is,
            Role::Action => !null,
            _ => self.operand_expected(0),
        }
    }

    fn literal(&mut self, token: Token) {
        let text = token.text(self.sql);
        let form = match token.kind {
            TokenKind::Number => {
                let negative = self.items.last().is_some_and(|last| last.is_symbol(b"-"))
                    && self.operand_expected(1)
                    && self.items.pop().is_some();
                Form::Number { negative }
            }
            TokenKind::Parameter => Form::Parameter,
            TokenKind::BitString => Form::Bits,
            _ => {
                self.drop_type();
                return self.literal_of_type(token, false);
            }
        };
        self.value(form, text);
        self.at += 1;
    }

    /// A string whose type, if it had one, is gone.
    fn literal_of_type(&mut self, token: Token, interval: bool) {
        let fields = if interval { interval_fields_end(self.sql, token.end) } else { None };
        let form = match token.kind {
            _ if fields.is_some() => Form::Interval,
            TokenKind::EscapeString => Form::Escape,
            TokenKind::UnicodeString => Form::Unicode,
            TokenKind::DollarString => Form::Dollar,
            _ => Form::Plain,
        };
        let end = fields.unwrap_or(token.end);
        self.value(form, &self.sql[token.start..end]);
        self.skip_to(end);
    }

    /// Takes back the type in `date '…'` or `schema.type '…'`.
    fn drop_type(&mut self) {
        let options = self.brackets.last() == Some(&true);
        let is_type = self.items.last().is_some_and(|last| match last.kind {
            ItemKind::Quoted => true,
            ItemKind::Word => {
                let operand = || self.operand_expected(1);
                matches!(self.role_back(0), Role::Operand | Role::TypeHead)
                    && (self.after_dot() || is_type(&last.text.to_ascii_lowercase(), operand))
            }
            ItemKind::Value | ItemKind::Symbol => false,
        });
        if options || !is_type {
            return;
        }
        self.items.pop();
        while let [.., schema, dot] = self.items.as_slice()
            && dot.is_symbol(b".")
            && matches!(schema.kind, ItemKind::Word | ItemKind::Quoted)
        {
            let len = self.items.len();
            self.items.truncate(len - 2);
        }
    }

    fn after_dot(&self) -> bool {
        matches!(self.items.as_slice(), [.., dot, _] if dot.is_symbol(b"."))
    }

    /// Moves to the first token at or after an offset.
    fn skip_to(&mut self, offset: usize) {
        while self.token().is_some_and(|token| token.start < offset) {
            self.at += 1;
        }
    }

    fn operator(&mut self, token: Token) {
        match token.text(self.sql) {
            b"!=" => {
                self.symbol(b"<>");
                self.at += 1;
            }
            b"?" if !opens_operator(&self.items) && self.is_placeholder() => {
                self.value(Form::Parameter, token.text(self.sql));
                self.at += 1;
            }
            _ => self.push(ItemKind::Symbol, token),
        }
    }

    /// Is the `?` here a placeholder, of our own output or of a driver? The operator `?` has operands on both
    /// sides.
    fn is_placeholder(&self) -> bool {
        self.operand_expected(0) || self.awaits_value() || !self.operand_begins(1)
    }

    /// Does a value follow the last word, though it is none that an operand follows everywhere?
    fn awaits_value(&self) -> bool {
        match self.items.as_slice() {
            [.., before, zone] if zone.is_word("zone") => before.is_word("time"),
            [.., before, interval] if interval.is_word("interval") => !before.is_symbol(b"::"),
            [.., path] if path.is_word("path") => !self.operand_expected(1),
            _ => false,
        }
    }

    /// Does an operand begin so many tokens ahead?
    fn operand_begins(&self, ahead: usize) -> bool {
        let Some(token) = self.tokens.get(self.at + ahead) else { return false };
        let text = token.text(self.sql);
        match token.kind {
            TokenKind::Word => {
                let lower = text.to_ascii_lowercase();
                // `PASSWORD ? VALID UNTIL ?`: definitions have clauses of their own.
                begins_operand(&lower, self.text(ahead + 1) == b"(")
                    && (names_a_type(&lower)
                        || matches!(role(&lower), Role::Array | Role::Cast)
                        || !self.defines())
            }
            TokenKind::Quoted => true,
            // The second `?` of `a ? ?` is a placeholder.
            TokenKind::Operator => may_be_prefix(text),
            TokenKind::Punctuation => text == b"(",
            _ => token.is_value(),
        }
    }

    /// Is the statement one of CREATE, ALTER and COPY?
    fn defines(&self) -> bool {
        let first = self.items.get(self.first);
        first.is_some_and(|first| ["create", "alter", "copy"].iter().any(|word| first.is_word(word)))
    }

    fn punctuation(&mut self, token: Token) {
        let text = token.text(self.sql);
        match text {
            b"(" => self.brackets.push(self.role_back(0) == Role::Options),
            b")" => {
                self.brackets.pop();
            }
            b"::" => {
                if let Some(end) = self.cast_after_value(token) {
                    return self.skip_to(end);
                }
            }
            _ => {}
        }
        self.push(ItemKind::Symbol, token);
    }

    /// `?::type` and `(?)::type`: where the type ends.
    fn cast_after_value(&mut self, colons: Token) -> Option<usize> {
        let bare = self.items.last().is_some_and(|last| last.kind == ItemKind::Value);
        let wrapped = matches!(self.items.as_slice(), [.., open, value, close]
            if open.is_symbol(b"(") && value.kind == ItemKind::Value && close.is_symbol(b")"))
            && matches!(self.role_back(3), Role::Prefix | Role::Is | Role::Not | Role::Action | Role::As);
        if !bare && !wrapped {
            return None;
        }
        let end = type_end(self.sql, colons.end)?;
        if wrapped {
            let len = self.items.len();
            self.items[len - 3] = self.items[len - 2];
            self.items.truncate(len - 2);
            self.slots.pop();
            self.slots.push(len - 3);
        }
        Some(end)
    }

    /// At AS: is it that of `cast(? as type)`? Then all of it becomes the placeholder.
    fn end_of_cast(&mut self) -> bool {
        let value = matches!(self.items.as_slice(), [.., cast, open, value]
            if cast.is_word("cast") && open.is_symbol(b"(") && value.kind == ItemKind::Value);
        if !value || self.role_back(2) != Role::Cast {
            return false;
        }
        let Some(end) = self.tokens.get(self.at).and_then(|word| type_end(self.sql, word.end)) else {
            return false;
        };
        let mut after = Lexer::starting_at(self.sql, end);
        let Some(close) = after.next_code().filter(|token| token.text(self.sql) == b")") else {
            return false;
        };
        let len = self.items.len();
        self.items[len - 3] = self.items[len - 1];
        self.items.truncate(len - 2);
        self.slots.pop();
        self.slots.push(len - 3);
        self.brackets.pop();
        self.skip_to(close.end);
        true
    }
}
