//! Words of the fast digest: keywords by table, names eight bytes at a time, names in quotes.

use super::*;

impl Pass<'_, '_, '_, '_> {
    #[inline(always)]
    pub(super) fn word(&mut self, first: u8) -> Step {
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
    pub(super) fn long_word(&mut self, start: usize, head: u64) -> Step {
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
        if head == u64::from_le_bytes(*b"operator") && len == 8 && self.opens_parenthesis() {
            return Err(AskReference);
        }
        let prev = if self.prev == Prev::Dot || len > 15 { Act::Name } else { long_act(head, tail) };
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

    /// May a parenthesis come next?
    fn opens_parenthesis(&self) -> bool {
        let next = self.sql[self.at..].iter().find(|b| class(**b) != Class::Space);
        next.is_some_and(|b| matches!(b, b'(' | b'-' | b'/'))
    }

    /// Keeps the state before a name, unless the name goes on after a dot.
    #[inline(always)]
    pub(super) fn begin_name(&mut self) {
        if self.prev != Prev::Dot || !self.dot_follows_name {
            self.before_name = Before { chain: self.chain, prev: self.prev, pure: self.frame.pure };
        }
    }

    /// Keeps where the word stands, for it may be the type of a literal.
    #[inline(always)]
    pub(super) fn remember(&mut self, start: usize) {
        self.last_word = (start, self.at);
        self.last_word_dotted = self.prev == Prev::Dot;
    }

    /// What a word of up to seven bytes does.
    #[inline(always)]
    pub(super) fn act(&mut self, act: Act, folded: u64, start: usize) -> Step {
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
    pub(super) fn rare_act(&mut self, act: Act, folded: u64, start: usize) -> Step {
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
            Act::Row | Act::Array => {
                let element = self.frame.pure
                    && matches!(self.frame.holds, Holds::List | Holds::Bracket)
                    && matches!(self.prev, Prev::Open | Prev::Comma);
                self.symbol(folded, if act == Act::Row { Prev::RowKeyword } else { Prev::Array });
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
    #[inline(always)]
    pub(super) fn first_word(&mut self, folded: u64) -> Step {
        if starts_naming(folded) { Err(AskReference) } else { Ok(()) }
    }

    /// `E'…'`, `B'…'`, `X'…'`, `N'…'`, `U&'…'`, `U&"…"`. False when the letter is a name.
    #[cold]
    #[inline(never)]
    pub(super) fn prefixed(&mut self, first: u8, next: u8) -> Result<bool, AskReference> {
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
    pub(super) fn typed(&mut self, start: usize) -> Result<bool, AskReference> {
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
    pub(super) fn quoted_name(&mut self, mut quote: usize) -> Step {
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
    pub(super) fn marked_name(&mut self, quote: usize, from: usize) -> Step {
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
    pub(super) fn end_of_cast(&mut self) -> bool {
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
}
