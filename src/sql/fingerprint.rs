//! The fast digest: fingerprint and parameter hash in one pass, nothing allocated, no token kept.
//!
//! The path of every logged statement. It must say exactly what the reference says (canonical.rs); where a
//! statement needs more than a look at the last token and the open brackets, it says nothing and the reference
//! is asked: names that are values, `?`, interval fields, nesting beyond [`DEEPEST`].
//!
//! How the passes of the reference become one:
//!
//! ```text
//!   … IN (1, 2, 3) …      chain after each token:   … IN  (  ?  ,  ?  ,  ?  )
//!                                                             ^ kept as `first`; at `)` the chain goes back there
//! ```
//!
//! A [`Chain`] is one word, so "what came since does not count" is an assignment. A frame on the stack
//! remembers, for each open bracket, the chain after its first element and whether all elements were values.
//!
//! ADVICE FOR CHANGES: every rule stands here and in the reference. Change both, run
//! `cargo test --test fingerprint_properties`, and mind the golden file: a changed fingerprint is a new version.

use super::Digest;
use super::canonical::temp_schema;
use super::hash::{Chain, Fingerprint, NULL_HASH, ValueHasher, value_hash};
use super::lexer::{Lexer, TokenKind, dollar_string, number_end, operator_end, string_goes_on};
use super::literal::{Form, Literal, canonical_number, is_plain_number, param_hash};
use super::params::Params;
use super::swar::{before_byte, digits, keep, load, name_word};
use super::table::{Act, Class, act, class, starts_naming};
use super::types::{interval_fields_end, is_typable, type_end, typed_string};
use super::words::names_a_type;

/// Brackets nested deeper than this go to the reference.
const DEEPEST: usize = 16;
/// As in the reference: arrays have few dimensions.
const DEEPEST_ARRAY: u64 = 8;

/// The placeholder's token.
const PLACEHOLDER: u64 = b'$' as u64;

/// What the last token was, as far as the next one cares. Up to `Default`, an operand is expected next.
#[derive(Copy, Clone, Debug, Eq, PartialEq, PartialOrd)]
pub(super) enum Prev {
    /// The start, an operator, a keyword before an operand.
    Prefix = 0,
    /// An opening bracket.
    Open,
    Comma,
    /// The comma after a row of VALUES.
    RowsComma,
    Is,
    Not,
    IsNot,
    /// ON, SET.
    Action,
    As,
    In,
    Values,
    Default,
    /// A name without quotes, or a keyword that ends an operand.
    Name,
    /// CURRENT, which may precede OF and a cursor.
    Current,
    Quoted,
    Value,
    /// A `)` after a single value in parentheses of its own.
    Wrapped,
    /// The end of a row or bracket that is an element of a list.
    Element,
    /// Such a row of one value: it may turn out to be a value in parentheses.
    SingleElement,
    /// The `)` of a row of VALUES.
    Row,
    /// Any other closing bracket.
    Close,
    Dot,
    /// A keyword that neither ends an operand nor precedes one.
    Keyword,
    RowKeyword,
    Cast,
    Array,
    Options,
}

/// What an open bracket holds.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Holds {
    /// Not of interest.
    Anything = 0,
    /// `IN (`.
    List,
    /// `ARRAY[` and brackets inside it.
    Bracket,
    /// A row that is an element of a list; ROW spelled out or not.
    Row,
    RowOfKeyword,
    /// A row of VALUES.
    ValuesRow,
    /// Parentheses around an operand.
    Operand,
    /// `CAST (`.
    Cast,
    /// `OPTIONS (`.
    Options,
}

/// The rows of a VALUES so far.
#[derive(Copy, Clone, Debug)]
struct Rows {
    count: u32,
    /// Some row is no values, or not like the first.
    unlike: bool,
    shape: u64,
    /// The chain after the first row.
    first: Chain,
}

/// An open bracket.
#[derive(Copy, Clone, Debug)]
struct Frame {
    holds: Holds,
    /// Only values and commas so far.
    pure: bool,
    /// Elements of a list, cells of a row.
    count: u32,
    /// What the elements of a list are, or which cells a row has.
    shape: u64,
    /// For lists, the chain after the first element.
    first: Chain,
    /// For rows of VALUES, the rows before this one.
    rows: Rows,
    /// The chain and the token before the bracket (before CAST, for a cast).
    before: (Chain, Prev),
}

/// All zeros, like [`OUTERMOST`]: a stack of them is cleared at the speed of memory.
const NO_ROWS: Rows = Rows { count: 0, unlike: false, shape: 0, first: Chain::none() };
const OUTERMOST: Frame = Frame {
    holds: Holds::Anything,
    pure: false,
    count: 0,
    shape: 0,
    first: Chain::none(),
    rows: NO_ROWS,
    before: (Chain::none(), Prev::Prefix),
};

/// Shapes of the elements of a list.
const VALUE_SHAPE: u64 = 1;
const BRACKETS_SHAPE: u64 = 1 << 32;
const ROW_SHAPE: u64 = 1 << 33;
const ROW_KEYWORD_SHAPE: u64 = 1 << 34;
/// The mark, in the shape of a VALUES, that its rows are those of the INSERT.
const COUNTED: u64 = 1 << 63;

/// The state before a dotted name, to come back to when the name turns out to be the type of a literal.
#[derive(Copy, Clone)]
struct Before {
    chain: Chain,
    prev: Prev,
    pure: bool,
}

/// The reference has to answer.
struct AskReference;

type Step = Result<(), AskReference>;

struct Pass<'s, 'p, 'd> {
    sql: &'s [u8],
    params: Option<&'p Params<'d>>,
    at: usize,
    chain: Chain,
    values: Chain,
    known: bool,
    has_values: bool,
    truncated: bool,
    comments: bool,
    prev: Prev,
    /// The innermost open bracket.
    frame: Frame,
    /// The brackets around it; `stack[depth]`, just left, still tells what its frame was.
    stack: [Frame; DEEPEST],
    depth: usize,
    /// Open parentheses, brackets not counted.
    parens: u32,
    /// What stood before the bracket that was closed last.
    closed: (Chain, Prev),
    rows: Rows,
    before_name: Before,
    last_word: (usize, usize),
    last_word_dotted: bool,
    dot_follows_name: bool,
    /// One of the next three holds, or rows of VALUES may be over: the next token has to look.
    border: bool,
    /// A semicolon was read, and nothing after it yet.
    semicolon: bool,
    /// The next token is the first of a statement.
    start: bool,
    insert: bool,
    insert_rows: u32,
}

/// The digest of a statement, `None` when the reference has to answer.
pub(super) fn digest(sql: &[u8], params: Option<&Params<'_>>) -> Option<Digest> {
    let mut pass = Pass {
        sql,
        params: params.filter(|params| params.is_complete()),
        at: 0,
        chain: Chain::tokens(),
        values: Chain::values(),
        known: true,
        has_values: false,
        truncated: false,
        comments: false,
        prev: Prev::Prefix,
        frame: OUTERMOST,
        stack: [OUTERMOST; DEEPEST],
        depth: 0,
        parens: 0,
        closed: (Chain::tokens(), Prev::Prefix),
        rows: NO_ROWS,
        before_name: Before { chain: Chain::tokens(), prev: Prev::Prefix, pure: false },
        last_word: (usize::MAX, usize::MAX),
        last_word_dotted: false,
        dot_follows_name: false,
        border: true,
        semicolon: false,
        start: true,
        insert: false,
        insert_rows: 0,
    };
    pass.run().ok()?;
    pass.end();
    Some(Digest {
        fingerprint: Fingerprint(pass.chain.seal()),
        params: pass.known.then(|| pass.values.seal()),
        rows: if pass.insert { pass.insert_rows.max(1) } else { 0 },
        has_values: pass.has_values,
        truncated: pass.truncated,
        comments: pass.comments,
    })
}

impl<'s> Pass<'s, '_, '_> {
    fn run(&mut self) -> Step {
        while let Some(mut first) = self.sql.get(self.at).copied() {
            // Most tokens have one space before them: not worth a round of its own.
            if first == b' ' {
                self.at += 1;
                match self.sql.get(self.at) {
                    Some(next) => first = *next,
                    None => break,
                }
            }
            match class(first) {
                Class::Space => self.at += 1,
                Class::Letter => self.word(first)?,
                Class::Digit => {
                    self.token();
                    self.number(false);
                }
                Class::Quote => {
                    self.token();
                    self.string()?;
                }
                Class::DoubleQuote => {
                    self.token();
                    self.quoted_name(self.at)?;
                }
                Class::Comma => self.comma(),
                Class::Open => self.open()?,
                Class::Close => self.close(),
                Class::OpenBracket => self.open_bracket()?,
                Class::CloseBracket => self.close_bracket(),
                Class::Dot => self.dot()?,
                Class::Operator => self.operator(first)?,
                Class::Colon => self.colon()?,
                Class::Semicolon => {
                    self.semicolon = true;
                    self.start = true;
                    self.border = true;
                    self.at += 1;
                }
                Class::Dollar => {
                    self.token();
                    self.dollar()?;
                }
                Class::Stray => {
                    self.token();
                    self.symbol(u64::from(first), Prev::Prefix);
                    self.at += 1;
                }
            }
        }
        Ok(())
    }

    /// What every token but a comma does first: a semicolon before it becomes a token, rows of VALUES end, and
    /// it is no first word.
    #[inline(always)]
    fn token(&mut self) {
        if self.border {
            self.token_after_border();
        }
    }

    #[cold]
    #[inline(never)]
    fn token_after_border(&mut self) {
        self.start = false;
        self.border = false;
        if self.semicolon {
            self.semicolon = false;
            if self.chain != Chain::tokens() {
                self.end_rows();
                self.symbol(u64::from(b';'), Prev::Prefix);
            }
        }
        self.end_rows();
    }

    /// The rows of a VALUES are over: if all were values, the first stands for all.
    fn end_rows(&mut self) {
        match self.prev {
            Prev::Row => {
                if !self.rows.unlike {
                    self.chain = self.rows.first;
                }
                self.prev = Prev::Close;
            }
            Prev::RowsComma => self.prev = Prev::Comma,
            _ => {}
        }
    }

    /// Adds a token that is neither value nor comma.
    #[inline(always)]
    fn symbol(&mut self, token: u64, prev: Prev) {
        self.chain = self.chain.link(token);
        self.frame.pure = false;
        self.prev = prev;
    }

    /// Is an operand expected next?
    #[inline(always)]
    fn operand_expected(&self) -> bool {
        self.prev <= Prev::Default
    }

    // ---- values ----

    /// Adds a placeholder.
    #[inline(always)]
    fn value(&mut self, hash: u64) {
        self.values = self.values.link(hash);
        self.placeholder();
    }

    /// Adds a placeholder whose value is not known.
    fn unknown_value(&mut self) {
        self.known = false;
        self.placeholder();
    }

    #[inline(always)]
    fn placeholder(&mut self) {
        self.has_values = true;
        self.chain = self.chain.link(PLACEHOLDER);
        if self.frame.pure {
            self.pure_value();
        }
        self.prev = Prev::Value;
    }

    /// A value in a bracket that held only values so far.
    #[inline(always)]
    fn pure_value(&mut self) {
        let in_place = matches!(self.prev, Prev::Open | Prev::Comma);
        match self.frame.holds {
            _ if !in_place => self.frame.pure = false,
            Holds::List | Holds::Bracket => self.element(VALUE_SHAPE),
            Holds::Row | Holds::RowOfKeyword | Holds::ValuesRow => self.cell(1),
            Holds::Operand | Holds::Cast => self.frame.pure = self.prev == Prev::Open,
            Holds::Anything | Holds::Options => self.frame.pure = false,
        }
    }

    /// An element of a list is complete.
    #[inline(always)]
    fn element(&mut self, shape: u64) {
        if self.frame.count == 0 {
            self.frame.shape = shape;
            self.frame.first = self.chain;
        } else if self.frame.shape != shape {
            self.frame.pure = false;
        }
        self.frame.count = self.frame.count.saturating_add(1);
    }

    /// A cell of a row: 1 for a value, 2 for DEFAULT.
    #[inline(always)]
    fn cell(&mut self, what: u64) {
        self.frame.count = self.frame.count.saturating_add(1);
        self.frame.shape = self.frame.shape.wrapping_mul(3).wrapping_add(what);
    }

    /// A number. Up to seven digits in a row are one word; anything else takes the long way.
    #[inline(always)]
    fn number(&mut self, negative: bool) {
        let word = load(self.sql, self.at);
        let len = digits(word);
        let first = word as u8;
        let after = self.sql.get(self.at + len).copied().unwrap_or(0);
        let plain = (first != b'0' || len == 1) && !matches!(class(after), Class::Letter | Class::Dot);
        if len == 0 || len > 7 || !plain {
            return self.other_number(negative);
        }
        self.at += len;
        let digits = word & keep(len);
        let (text, len) = if negative { ((digits << 8) | u64::from(b'-'), len + 1) } else { (digits, len) };
        let chain = Chain::values().link(text);
        let chain = if len == 8 { chain.link(0) } else { chain };
        self.value(chain.link(len as u64).seal());
    }

    #[cold]
    #[inline(never)]
    fn other_number(&mut self, negative: bool) {
        let start = self.at;
        self.at = number_end(self.sql, start);
        let text = &self.sql[start..self.at];
        let mut hasher = ValueHasher::new();
        if negative {
            hasher.write(b"-");
        }
        if is_plain_number(text) {
            hasher.write(text);
        } else {
            hasher.write(&canonical_number(text));
        }
        self.value(hasher.finish());
    }

    /// `'…'`, in one go: the quote is looked for and the value hashed eight bytes at a time.
    fn string(&mut self) -> Step {
        self.drop_type();
        let start = self.at;
        let mut at = start + 1;
        let mut chain = Chain::values();
        loop {
            let word = load(self.sql, at);
            let before = before_byte(word, b'\'');
            if before < 8 {
                let end = at + before;
                let after = self.sql.get(end + 1).copied().unwrap_or(0);
                if after == b'\'' || (class(after) == Class::Space && self.goes_on(end + 1)) {
                    return self.slow_string(start);
                }
                let len = (end - start - 1) as u64;
                self.value(chain.link(word & keep(before)).link(len).seal());
                self.at = end + 1;
                return Ok(());
            }
            if at + 8 > self.sql.len() {
                return self.slow_string(start);
            }
            chain = chain.link(word);
            at += 8;
        }
    }

    /// Does the string that ended before `at` go on in another line?
    fn goes_on(&self, at: usize) -> bool {
        match self.sql.get(at + 1) {
            Some(b'\'' | b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | 0) => {
                string_goes_on(self.sql, at).is_some()
            }
            _ => false,
        }
    }

    /// A literal with anything to unescape, or cut off.
    #[cold]
    #[inline(never)]
    fn slow_string(&mut self, start: usize) -> Step {
        let Some(token) = Lexer::starting_at(self.sql, start).next() else { return Err(AskReference) };
        let form = match token.kind {
            TokenKind::String => Form::Plain,
            TokenKind::EscapeString => Form::Escape,
            TokenKind::UnicodeString => Form::Unicode,
            TokenKind::BitString => Form::Bits,
            TokenKind::DollarString => Form::Dollar,
            _ => return Err(AskReference),
        };
        let literal = Literal { form, text: token.text(self.sql) };
        match literal.hash(None) {
            Some(hash) => self.value(hash),
            None => self.unknown_value(),
        }
        self.truncated |= token.unterminated;
        self.at = token.end;
        Ok(())
    }

    fn dollar(&mut self) -> Step {
        let digits = self.sql[self.at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            let number = std::str::from_utf8(&self.sql[self.at + 1..=self.at + digits]).ok();
            let number = number.and_then(|digits| digits.parse().ok());
            self.at += 1 + digits;
            match self.params.zip(number).and_then(|(params, number)| params.get(number)) {
                Some(param) => self.value(param_hash(param)),
                None => self.unknown_value(),
            }
            return Ok(());
        }
        if dollar_string(self.sql, self.at).is_some() {
            self.drop_type();
            return self.slow_string(self.at);
        }
        self.symbol(u64::from(b'$'), Prev::Prefix);
        self.at += 1;
        Ok(())
    }

    /// Takes back the type in `date '…'`.
    #[inline(always)]
    fn drop_type(&mut self) {
        if matches!(self.prev, Prev::Name | Prev::Current | Prev::Quoted) {
            self.drop_type_before();
        }
    }

    #[cold]
    #[inline(never)]
    fn drop_type_before(&mut self) {
        let (start, end) = self.last_word;
        let keyword = self.prev != Prev::Quoted
            && !self.last_word_dotted
            && !names_a_type(&self.sql[start..end].to_ascii_lowercase());
        if keyword || self.in_options() {
            return;
        }
        self.chain = self.before_name.chain;
        self.prev = self.before_name.prev;
        self.frame.pure = self.before_name.pure;
    }

    /// Is the innermost open parenthesis that of OPTIONS?
    fn in_options(&self) -> bool {
        let mut holds = self.frame.holds;
        let mut depth = self.depth;
        while holds == Holds::Bracket && depth > 0 {
            depth -= 1;
            holds = self.stack[depth].holds;
        }
        holds == Holds::Options
    }

    // ---- words ----

    #[inline(always)]
    fn word(&mut self, first: u8) -> Step {
        let start = self.at;
        let head = name_word(load(self.sql, start));
        if head.len == 1
            && let Some(next) = self.sql.get(start + 1)
            && matches!(next, b'\'' | b'&')
            && self.prefixed(first, *next)?
        {
            return Ok(());
        }
        if head.len < 8 {
            self.at = start + head.len;
            if self.start {
                self.first_word(head.folded)?;
            }
            self.token();
            self.begin_name();
            let act = if self.prev == Prev::Dot { Act::Name } else { act(head.folded) };
            return self.act(act, head.folded, start);
        }
        self.long_word(start, head.folded)
    }

    /// A word of eight bytes or more.
    fn long_word(&mut self, start: usize, head: u64) -> Step {
        if self.start {
            self.first_word(head)?;
        }
        self.token();
        self.begin_name();
        let mut at = start + 8;
        let mut chain = self.chain.link(head);
        let tail = loop {
            let word = name_word(load(self.sql, at));
            at += word.len;
            chain = chain.link(word.folded);
            if word.len < 8 {
                break word.folded;
            }
        };
        self.at = at;
        let len = at - start;
        if (head == u64::from_le_bytes(*b"pg_temp_") || head == u64::from_le_bytes(*b"pg_toast"))
            && temp_schema(&self.sql[start..at]).is_some()
        {
            return Err(AskReference);
        }
        let prev =
            if self.prev == Prev::Dot || len > 15 { Act::Name } else { super::table::long_act(head, tail) };
        match prev {
            Act::Name | Act::To(_) => {
                self.remember(start);
                self.chain = chain;
                self.frame.pure = false;
                self.prev = if let Act::To(prev) = prev { prev } else { Prev::Name };
                Ok(())
            }
            _ => {
                if self.typed(start)? {
                    return Ok(());
                }
                self.remember(start);
                self.chain = chain;
                self.frame.pure = false;
                self.prev = Prev::Name;
                Ok(())
            }
        }
    }

    /// Keeps the state before a name, unless the name goes on after a dot.
    #[inline(always)]
    fn begin_name(&mut self) {
        if self.prev != Prev::Dot || !self.dot_follows_name {
            self.before_name = Before { chain: self.chain, prev: self.prev, pure: self.frame.pure };
        }
    }

    /// Keeps where the word stands, for it may be the type of a literal.
    #[inline(always)]
    fn remember(&mut self, start: usize) {
        self.last_word = (start, self.at);
        self.last_word_dotted = self.prev == Prev::Dot;
    }

    /// What a word of up to seven bytes does.
    #[inline(always)]
    fn act(&mut self, act: Act, folded: u64, start: usize) -> Step {
        let prev = match act {
            Act::Name => Prev::Name,
            Act::To(prev) => prev,
            _ => return self.rare_act(act, folded, start),
        };
        self.remember(start);
        self.symbol(folded, prev);
        Ok(())
    }

    #[inline(never)]
    fn rare_act(&mut self, act: Act, folded: u64, start: usize) -> Step {
        self.remember(start);
        match act {
            Act::Not => {
                let prev = if self.prev == Prev::Is { Prev::IsNot } else { Prev::Not };
                self.symbol(folded, prev);
            }
            Act::Null | Act::True | Act::False => {
                let value = match self.prev {
                    Prev::Is | Prev::IsNot | Prev::As => false,
                    Prev::Not | Prev::Action => act != Act::Null,
                    _ => self.operand_expected(),
                };
                match act {
                    _ if !value => self.symbol(folded, Prev::Keyword),
                    Act::Null => self.value(NULL_HASH),
                    Act::True => self.value(value_hash(b"t")),
                    _ => self.value(value_hash(b"f")),
                }
            }
            Act::Default => {
                let cell = self.frame.pure
                    && self.frame.holds == Holds::ValuesRow
                    && matches!(self.prev, Prev::Open | Prev::Comma);
                self.symbol(folded, Prev::Default);
                if cell {
                    self.frame.pure = true;
                    self.cell(2);
                }
            }
            Act::Row => {
                let element = self.frame.pure
                    && matches!(self.frame.holds, Holds::List | Holds::Bracket)
                    && matches!(self.prev, Prev::Open | Prev::Comma);
                self.symbol(folded, Prev::RowKeyword);
                self.frame.pure = element;
            }
            Act::As => {
                if self.frame.holds == Holds::Cast
                    && self.frame.pure
                    && self.prev == Prev::Value
                    && self.end_of_cast()
                {
                    return Ok(());
                }
                self.symbol(folded, Prev::As);
            }
            Act::Naming => {
                if self.prev == Prev::As {
                    return Err(AskReference);
                }
                self.symbol(folded, Prev::Keyword);
            }
            Act::Of => {
                if self.prev == Prev::Current {
                    return Err(AskReference);
                }
                self.symbol(folded, Prev::Name);
            }
            Act::Insert => {
                self.insert |= self.parens == 0;
                self.symbol(folded, Prev::Name);
            }
            Act::TypeHead => {
                if !self.typed(start)? {
                    self.symbol(folded, Prev::Name);
                }
            }
            Act::Name | Act::To(_) => self.symbol(folded, Prev::Name),
        }
        Ok(())
    }

    /// The first word of a statement: does the reference know better what to do with its names?
    #[cold]
    #[inline(never)]
    fn first_word(&mut self, folded: u64) -> Step {
        if starts_naming(folded) { Err(AskReference) } else { Ok(()) }
    }

    /// `E'…'`, `B'…'`, `X'…'`, `N'…'`, `U&'…'`, `U&"…"`. False when the letter is a name.
    #[cold]
    #[inline(never)]
    fn prefixed(&mut self, first: u8, next: u8) -> Result<bool, AskReference> {
        let bits = match (first | 0x20, next) {
            (b'e' | b'n', b'\'') => false,
            (b'b' | b'x', b'\'') => true,
            (b'u', b'&') => match self.sql.get(self.at + 2) {
                Some(b'\'') => false,
                Some(b'"') => {
                    self.token();
                    self.quoted_name(self.at + 2)?;
                    return Ok(true);
                }
                _ => return Ok(false),
            },
            _ => return Ok(false),
        };
        self.token();
        if !bits {
            self.drop_type();
        }
        self.slow_string(self.at)?;
        Ok(true)
    }

    /// The literal of a built-in type that starts with the word at `start`, if one does.
    #[cold]
    #[inline(never)]
    fn typed(&mut self, start: usize) -> Result<bool, AskReference> {
        let mut next = self.at;
        while self.sql.get(next).is_some_and(|b| class(*b) == Class::Space) {
            next += 1;
        }
        if !self.sql.get(next).is_some_and(|b| b.is_ascii_alphabetic() || b"'($-/".contains(b)) {
            return Ok(false);
        }
        let Some(head) = Lexer::starting_at(self.sql, start).next() else { return Ok(false) };
        let Some(string) = typed_string(self.sql, &head) else { return Ok(false) };
        debug_assert!(is_typable(string.kind));
        if head.text(self.sql).eq_ignore_ascii_case(b"interval")
            && interval_fields_end(self.sql, string.end).is_some()
        {
            return Err(AskReference);
        }
        self.at = string.start;
        self.skipped(head.end, string.start);
        self.slow_string(string.start)?;
        Ok(true)
    }

    /// A name in double quotes; `quote` is where its opening quote stands. Goes on over `"schema"."table"`.
    #[inline(always)]
    fn quoted_name(&mut self, mut quote: usize) -> Step {
        self.begin_name();
        self.last_word_dotted = self.prev == Prev::Dot;
        self.frame.pure = false;
        self.prev = Prev::Quoted;
        loop {
            let body = quote + 1;
            let mut at = body;
            let mut chain = self.chain;
            let mut folds = self.sql.get(body).is_some_and(|b| !b.is_ascii_digit() && *b != b'$');
            let mut word = name_word(load(self.sql, at));
            let head = word.folded;
            loop {
                folds &= !word.upper;
                chain = chain.link(word.folded);
                at += word.len;
                if word.len < 8 {
                    break;
                }
                word = name_word(load(self.sql, at));
            }
            let next = self.sql.get(at + 1).copied().unwrap_or(0);
            let simple = self.sql.get(at) == Some(&b'"') && next != b'"' && at > body;
            if !simple || !folds {
                return self.marked_name(quote, if simple { at } else { body });
            }
            if head == u64::from_le_bytes(*b"pg_temp_") || head == u64::from_le_bytes(*b"pg_toast") {
                return Err(AskReference);
            }
            self.chain = chain;
            self.at = at + 1;
            if next != b'.' || self.sql.get(at + 2) != Some(&b'"') {
                return Ok(());
            }
            self.chain = self.chain.link(u64::from(b'.'));
            self.last_word_dotted = true;
            quote = at + 2;
        }
    }

    /// A quoted name that folding would change: its bytes with the opening quote.
    #[inline(never)]
    fn marked_name(&mut self, quote: usize, from: usize) -> Step {
        let mut at = from;
        let close = loop {
            match memchr::memchr(b'"', &self.sql[at..]) {
                Some(found) if self.sql.get(at + found + 1) == Some(&b'"') => at += found + 2,
                Some(found) => break at + found,
                None => return Err(AskReference),
            }
        };
        let name = &self.sql[quote..close];
        if memchr::memchr(0, name).is_some() {
            return Err(AskReference);
        }
        self.chain = self.chain.token(name);
        self.at = close + 1;
        Ok(())
    }

    /// At AS, in `CAST (?`: if a type and a parenthesis follow, all of it becomes the placeholder.
    fn end_of_cast(&mut self) -> bool {
        let Some(end) = type_end(self.sql, self.at) else { return false };
        let mut after = Lexer::starting_at(self.sql, end);
        let Some(close) = after.next_code().filter(|token| token.text(self.sql) == b")") else {
            return false;
        };
        self.skipped(self.at, close.start);
        self.at = close.end;
        let before = self.frame.before;
        self.parens = self.parens.saturating_sub(1);
        self.depth -= 1;
        self.frame = self.stack[self.depth];
        (self.chain, self.prev) = before;
        self.placeholder();
        true
    }

    // ---- punctuation ----

    fn comma(&mut self) {
        if self.border && (self.semicolon || self.start) {
            self.token_after_border();
        }
        self.at += 1;
        self.chain = self.chain.link(u64::from(b','));
        let prev = self.prev;
        if self.frame.pure {
            self.frame.pure = match self.frame.holds {
                Holds::List | Holds::Bracket => {
                    matches!(prev, Prev::Value | Prev::Element | Prev::SingleElement)
                }
                Holds::Row | Holds::RowOfKeyword => prev == Prev::Value,
                Holds::ValuesRow => matches!(prev, Prev::Value | Prev::Default),
                Holds::Anything | Holds::Operand | Holds::Cast | Holds::Options => false,
            };
        }
        self.prev = if prev == Prev::Row { Prev::RowsComma } else { Prev::Comma };
        self.border = prev == Prev::Row;
    }

    fn open(&mut self) -> Step {
        let rows = self.prev == Prev::RowsComma && !self.semicolon;
        if !rows {
            self.token();
        }
        self.border = false;
        let in_place = self.frame.pure
            && matches!(self.frame.holds, Holds::List | Holds::Bracket)
            && matches!(self.prev, Prev::Open | Prev::Comma);
        let mut frame = OUTERMOST;
        frame.pure = true;
        frame.before = (self.chain, self.prev);
        frame.holds = match self.prev {
            Prev::In => Holds::List,
            Prev::Values => {
                if self.parens == 0 && self.insert && self.insert_rows == 0 {
                    // From here on, this VALUES is the one whose rows are counted.
                    self.insert_rows = 1;
                    frame.rows.shape = COUNTED;
                }
                Holds::ValuesRow
            }
            Prev::RowsComma => {
                frame.rows = self.rows;
                self.insert_rows += u32::from(self.rows.shape & COUNTED != 0);
                Holds::ValuesRow
            }
            Prev::RowKeyword if self.frame.pure => Holds::RowOfKeyword,
            Prev::Cast => {
                frame.before = (self.before_name.chain, self.before_name.prev);
                self.frame.pure = self.before_name.pure;
                Holds::Cast
            }
            Prev::Options => Holds::Options,
            _ if in_place => Holds::Row,
            Prev::Prefix
            | Prev::Open
            | Prev::Comma
            | Prev::Is
            | Prev::Not
            | Prev::IsNot
            | Prev::Action
            | Prev::As => Holds::Operand,
            _ => Holds::Anything,
        };
        frame.pure &= !matches!(frame.holds, Holds::Anything | Holds::Options);
        self.push(frame)?;
        self.parens += 1;
        self.link_open(b'(');
        Ok(())
    }

    fn open_bracket(&mut self) -> Step {
        self.token();
        let subscript = !matches!(self.prev, Prev::Prefix | Prev::Open | Prev::Comma | Prev::Array)
            || self.chain == Chain::tokens();
        let mut frame = OUTERMOST;
        frame.before = (self.chain, self.prev);
        frame.holds = Holds::Bracket;
        frame.pure = !subscript;
        self.push(frame)?;
        self.link_open(b'[');
        Ok(())
    }

    fn push(&mut self, frame: Frame) -> Step {
        if self.depth == DEEPEST {
            return Err(AskReference);
        }
        self.stack[self.depth] = self.frame;
        self.depth += 1;
        self.frame = frame;
        Ok(())
    }

    fn link_open(&mut self, bracket: u8) {
        self.chain = self.chain.link(u64::from(bracket));
        self.prev = Prev::Open;
        self.at += 1;
    }

    /// Leaves the innermost bracket.
    fn pop(&mut self) -> Frame {
        self.closed = self.frame.before;
        self.depth -= 1;
        std::mem::replace(&mut self.frame, self.stack[self.depth])
    }

    fn close(&mut self) {
        self.token();
        self.at += 1;
        self.parens = self.parens.saturating_sub(1);
        // An open `[` before a `)` is never closed; the parenthesis closes its own.
        while self.frame.holds == Holds::Bracket && self.depth > 0 {
            self.pop();
            self.frame.pure = false;
        }
        if self.depth == 0 {
            return self.symbol(u64::from(b')'), Prev::Close);
        }
        let whole = self.frame.pure && self.frame.count > 0;
        let prev = self.prev;
        if self.frame.holds == Holds::List
            && whole
            && matches!(prev, Prev::Value | Prev::Element | Prev::SingleElement)
        {
            self.chain = self.frame.first;
        }
        let inner = self.pop();
        self.chain = self.chain.link(u64::from(b')'));
        self.prev = Prev::Close;
        match inner.holds {
            Holds::Row | Holds::RowOfKeyword if whole && prev == Prev::Value => {
                let keyword = inner.holds == Holds::RowOfKeyword;
                let kind = if keyword { ROW_KEYWORD_SHAPE } else { ROW_SHAPE };
                self.element(kind | u64::from(inner.count));
                self.prev = if inner.count == 1 && !keyword { Prev::SingleElement } else { Prev::Element };
            }
            Holds::ValuesRow => {
                self.frame.pure = false;
                self.end_row(&inner, whole && matches!(prev, Prev::Value | Prev::Default));
            }
            Holds::Operand => {
                self.frame.pure = false;
                if inner.pure && prev == Prev::Value {
                    self.prev = Prev::Wrapped;
                }
            }
            _ => self.frame.pure = false,
        }
    }

    /// A row of VALUES is complete.
    fn end_row(&mut self, row: &Frame, values: bool) {
        let counted = row.rows.shape & COUNTED != 0;
        let shape =
            ((row.shape ^ (u64::from(row.count) << 40)) & !COUNTED) | if counted { COUNTED } else { 0 };
        self.rows = row.rows;
        if self.rows.count == 0 {
            self.rows.first = self.chain;
            self.rows.unlike = !values;
            self.rows.shape = shape;
        } else {
            self.rows.unlike |= !values || self.rows.shape != shape;
        }
        self.rows.count += 1;
        self.prev = Prev::Row;
        self.border = true;
    }

    fn close_bracket(&mut self) {
        self.token();
        self.at += 1;
        if self.frame.holds != Holds::Bracket || self.depth == 0 {
            return self.symbol(u64::from(b']'), Prev::Close);
        }
        let whole = self.frame.pure
            && self.frame.count > 0
            && matches!(self.prev, Prev::Value | Prev::Element | Prev::SingleElement);
        if whole {
            self.chain = self.frame.first;
        }
        let inner = self.pop();
        self.chain = self.chain.link(u64::from(b']'));
        self.prev = Prev::Close;
        let depth = match inner.shape {
            VALUE_SHAPE => 1,
            shape if shape & BRACKETS_SHAPE != 0 => (shape & !BRACKETS_SHAPE) + 1,
            _ => DEEPEST_ARRAY + 1,
        };
        let in_place = self.frame.pure
            && matches!(self.frame.holds, Holds::List | Holds::Bracket)
            && matches!(inner.before.1, Prev::Open | Prev::Comma);
        if whole && in_place && depth <= DEEPEST_ARRAY {
            self.element(BRACKETS_SHAPE | depth);
            self.prev = Prev::Element;
        } else {
            self.frame.pure = false;
        }
    }

    fn dot(&mut self) -> Step {
        match self.sql.get(self.at + 1) {
            Some(b) if b.is_ascii_digit() => {
                self.token();
                self.number(false);
            }
            Some(b'.') => {
                self.token();
                self.symbol(u64::from(u16::from_le_bytes(*b"..")), Prev::Prefix);
                self.at += 2;
            }
            _ => {
                self.token();
                self.dot_follows_name = matches!(
                    self.prev,
                    Prev::Name
                        | Prev::Current
                        | Prev::Quoted
                        | Prev::Keyword
                        | Prev::Is
                        | Prev::Not
                        | Prev::IsNot
                        | Prev::Action
                        | Prev::As
                        | Prev::In
                        | Prev::Values
                        | Prev::Default
                        | Prev::RowKeyword
                        | Prev::Cast
                        | Prev::Array
                        | Prev::Options
                ) || (self.prev == Prev::Prefix && self.last_word.1 == self.at);
                if self.prev == Prev::Prefix && self.last_word.1 != self.at {
                    // Whether a keyword or an operator stands before the dot is beyond what is kept here.
                    return Err(AskReference);
                }
                self.symbol(u64::from(b'.'), Prev::Dot);
                self.at += 1;
            }
        }
        Ok(())
    }

    fn colon(&mut self) -> Step {
        match self.sql.get(self.at + 1) {
            Some(b':') => {
                // A cast after rows of VALUES is nonsense that the reference may judge.
                if self.prev == Prev::Row {
                    return Err(AskReference);
                }
                self.token();
                if matches!(self.prev, Prev::Value | Prev::Wrapped | Prev::SingleElement)
                    && let Some(end) = self.cast_end(self.at + 2)
                {
                    self.at = end;
                    if self.prev != Prev::Value {
                        self.unwrap();
                    }
                    return Ok(());
                }
                self.symbol(u64::from(u16::from_le_bytes(*b"::")), Prev::Prefix);
                self.at += 2;
            }
            Some(b'=') => {
                self.token();
                self.symbol(u64::from(u16::from_le_bytes(*b":=")), Prev::Prefix);
                self.at += 2;
            }
            _ => {
                self.token();
                self.symbol(u64::from(b':'), Prev::Prefix);
                self.at += 1;
            }
        }
        Ok(())
    }

    /// `(?)::type`: the parentheses go with the cast.
    fn unwrap(&mut self) {
        self.frame = self.stack[self.depth];
        (self.chain, self.prev) = self.closed;
        self.placeholder();
    }

    /// A type was skipped: what stood in it is no token, but a comment in it counts, and an open end too.
    fn skipped(&mut self, from: usize, to: usize) {
        for token in Lexer::starting_at(&self.sql[..to], from) {
            self.comments |= token.kind == TokenKind::Comment;
            self.truncated |= token.unterminated;
        }
    }

    /// Where the type of a cast ends. The usual case, a single word, is seen at a glance.
    #[inline(always)]
    fn cast_end(&mut self, at: usize) -> Option<usize> {
        let word = name_word(load(self.sql, at));
        let end = at + word.len;
        let plain = word.len > 0
            && word.len < 8
            && !self.sql[at].is_ascii_digit()
            && self.sql[at] != b'$'
            && matches!(act(word.folded), Act::Name)
            && word.folded != load(b"setof", 0);
        if plain {
            match self.sql.get(end) {
                None | Some(b',' | b')' | b';' | b']' | b'=' | b'<' | b'>' | b'+') => return Some(end),
                Some(b' ') => match self.sql.get(end + 1) {
                    Some(b',' | b')' | b']' | b'=' | b'<' | b'>' | b'+' | b'\'' | b'"' | b'$') => {
                        return Some(end);
                    }
                    Some(b) if b.is_ascii_alphanumeric() && b | 0x20 != b'a' => return Some(end),
                    Some(b'a' | b'A') if !matches!(self.sql.get(end + 2), Some(b'r' | b'R')) => {
                        return Some(end);
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        let end = type_end(self.sql, at)?;
        self.skipped(at, end);
        Some(end)
    }

    fn operator(&mut self, first: u8) -> Step {
        let next = self.sql.get(self.at + 1).copied().unwrap_or(0);
        if class(next) != Class::Operator {
            if first == b'?' {
                return Err(AskReference);
            }
            self.token();
            if first == b'-' && self.operand_expected() {
                return self.minus();
            }
            self.symbol(u64::from(first), Prev::Prefix);
            self.at += 1;
            return Ok(());
        }
        match (first, next) {
            (b'-', b'-') => {
                self.comments = true;
                let rest = &self.sql[self.at..];
                self.at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                return Ok(());
            }
            (b'/', b'*') => {
                self.comments = true;
                if let Some(comment) = Lexer::starting_at(self.sql, self.at).next() {
                    self.truncated |= comment.unterminated;
                    self.at = comment.end;
                }
                return Ok(());
            }
            _ => {}
        }
        let end = operator_end(self.sql, self.at);
        let text = &self.sql[self.at..end];
        if text == b"?" {
            return Err(AskReference);
        }
        self.token();
        if text == b"-" && self.operand_expected() {
            return self.minus();
        }
        self.chain = if text == b"!=" { self.chain.token(b"<>") } else { self.chain.token(text) };
        self.frame.pure = false;
        self.prev = Prev::Prefix;
        self.at = end;
        Ok(())
    }

    /// A `-` where an operand is expected: the sign of a number, or an operator.
    fn minus(&mut self) -> Step {
        let mut at = self.at + 1;
        while self.sql.get(at).is_some_and(|b| class(*b) == Class::Space) {
            at += 1;
        }
        let byte = |at: usize| self.sql.get(at).copied().unwrap_or(0);
        if byte(at).is_ascii_digit() || (byte(at) == b'.' && byte(at + 1).is_ascii_digit()) {
            self.at = at;
            self.number(true);
            return Ok(());
        }
        if matches!((byte(at), byte(at + 1)), (b'-', b'-') | (b'/', b'*')) {
            return Err(AskReference);
        }
        self.symbol(u64::from(b'-'), Prev::Prefix);
        self.at += 1;
        Ok(())
    }

    // ---- the end ----

    /// The text is over: lists that it cut off fold what is whole.
    fn end(&mut self) {
        match self.prev {
            Prev::Row | Prev::RowsComma => {
                if !self.rows.unlike {
                    self.chain = self.rows.first;
                }
                return;
            }
            _ => {}
        }
        if !self.frame.pure || self.depth == 0 {
            return;
        }
        match self.frame.holds {
            Holds::List | Holds::Bracket if self.frame.count > 0 && self.prev != Prev::RowKeyword => {
                self.chain = self.frame.first;
            }
            Holds::ValuesRow if self.frame.rows.count > 0 && !self.frame.rows.unlike => {
                self.chain = self.frame.rows.first;
            }
            Holds::Row => {
                let list = &self.stack[self.depth - 1];
                if list.count > 0 {
                    self.chain = list.first;
                }
            }
            _ => {}
        }
    }
}
