//! The fast digest: fingerprint and parameter hash in one pass, nothing allocated, no token kept.
//!
//! The path of every logged statement. It must say exactly what the reference says (canonical.rs); where a
//! statement needs more than a look at the last token and the open brackets, it says nothing and the reference
//! is asked: names that are values, `?`, interval fields, `OPERATOR(…)`, nesting beyond [`DEEPEST`].
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

use arrayvec::ArrayVec;

use super::Digest;
mod brackets;
mod savepoint;
mod values;
mod words;

use super::canonical::temp_schema;
use super::hash::{Chain, Fingerprint, NULL_HASH, ValueHasher, ValueHashes, value_hash};
use super::lexer::{Lexer, TokenKind, dollar_string, number_end, operator_end, string_goes_on};
use super::literal::{Form, Literal, canonical_number, is_plain_number, param_hash};
use super::params::Params;
use super::plain::{short_number, string};
use super::swar::{load, name_word};
use super::table::{Act, Class, act, class, long_act, starts_naming};
use super::types::{interval_fields_end, is_typable, type_end, typed_string};
use super::words::is_type;

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
/// Brackets in brackets: so many in the low byte, and for each a bit, from the innermost, whether ARRAY is spelled out.
const BRACKETS_SHAPE: u64 = 1 << 32;
const ARRAY_SHAPE: u64 = 1 << 8;
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

struct Pass<'s, 'p, 'd, 'o> {
    sql: &'s [u8],
    params: Option<&'p Params<'d>>,
    at: usize,
    chain: Chain,
    values: Chain,
    /// The values so far, where they are to stand.
    hashes: &'o mut ValueHashes,
    known: bool,
    has_values: bool,
    truncated: bool,
    comments: bool,
    prev: Prev,
    /// The innermost open bracket.
    frame: Frame,
    /// The brackets around it; `stack[depth]`, just left, still tells what its frame was.
    stack: ArrayVec<Frame, DEEPEST>,
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

/// Makes `digest` that of a statement; `None` when the reference has to answer: what `digest` says then means nothing.
#[inline]
pub(super) fn digest(sql: &[u8], params: Option<&Params<'_>>, digest: &mut Digest) -> Option<()> {
    if let Some(plain) = savepoint::digest(sql) {
        *digest = plain;
        return Some(());
    }
    digest.values.clear();
    let mut pass = Pass {
        sql,
        params: params.filter(|params| params.is_complete()),
        at: 0,
        chain: Chain::tokens(),
        values: Chain::values(),
        hashes: &mut digest.values,
        known: true,
        has_values: false,
        truncated: false,
        comments: false,
        prev: Prev::Prefix,
        frame: OUTERMOST,
        stack: ArrayVec::new(),
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
    let Pass { chain, values, known, has_values, truncated, comments, insert, insert_rows, .. } = pass;
    digest.fingerprint = Fingerprint(chain.seal());
    digest.params = known.then(|| values.seal());
    digest.rows = if insert { insert_rows.max(1) } else { 0 };
    digest.has_values = has_values;
    digest.truncated = truncated;
    digest.comments = comments;
    if !known {
        digest.values.clear();
    }
    Some(())
}

impl<'s> Pass<'s, '_, '_, '_> {
    #[inline(always)]
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
                self.fold_rows(self.rows);
                self.prev = Prev::Close;
            }
            Prev::RowsComma => self.prev = Prev::Comma,
            _ => {}
        }
    }

    /// The rows of a VALUES, if there are any and all are values, are their first and how many they are.
    fn fold_rows(&mut self, rows: Rows) {
        if rows.count > 0 && !rows.unlike {
            self.chain = rows.first;
            self.values = self.values.list(rows.count, false);
        }
    }

    /// A list of values, if it has an element, is its first element and how many they are.
    #[inline(always)]
    fn fold_list(&mut self, list: Frame) {
        if list.count > 0 {
            self.chain = list.first;
            self.values = self.values.list(list.count, list.shape & BRACKETS_SHAPE != 0);
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

    /// The text is over: lists that it cut off fold what is whole.
    fn end(&mut self) {
        match self.prev {
            Prev::Row | Prev::RowsComma => return self.fold_rows(self.rows),
            _ => {}
        }
        if !self.frame.pure || self.depth == 0 {
            return;
        }
        match self.frame.holds {
            Holds::List | Holds::Bracket
                if self.frame.count > 0 && !matches!(self.prev, Prev::RowKeyword | Prev::Array) =>
            {
                self.fold_list(self.frame);
            }
            Holds::ValuesRow => self.fold_rows(self.frame.rows),
            Holds::Row => self.fold_list(self.stack[self.depth - 1]),
            _ => {}
        }
    }
}
