//! Literals, parameters and placeholders of the fast digest, and the types before literals.

use super::*;

impl Pass<'_, '_, '_, '_> {
    /// Adds a placeholder.
    #[inline(always)]
    pub(super) fn value(&mut self, hash: u64) {
        self.values = self.values.link(hash);
        self.hashes.push(hash);
        self.placeholder();
    }

    /// Adds a placeholder whose value is not known.
    pub(super) fn unknown_value(&mut self) {
        self.known = false;
        self.placeholder();
    }

    #[inline(always)]
    pub(super) fn placeholder(&mut self) {
        self.has_values = true;
        self.chain = self.chain.link(PLACEHOLDER);
        if self.frame.pure {
            self.pure_value();
        }
        self.prev = Prev::Value;
    }

    /// A value in a bracket that held only values so far.
    #[inline(always)]
    pub(super) fn pure_value(&mut self) {
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
    pub(super) fn element(&mut self, shape: u64) {
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
    pub(super) fn cell(&mut self, what: u64) {
        self.frame.count = self.frame.count.saturating_add(1);
        self.frame.shape = self.frame.shape.wrapping_mul(3).wrapping_add(what);
    }

    /// A number. Up to seven digits in a row are one word; anything else takes the long way.
    #[inline(always)]
    pub(super) fn number(&mut self, negative: bool) {
        match short_number(self.sql, self.at, negative) {
            Some((hash, end)) => {
                self.at = end;
                self.value(hash);
            }
            None => self.other_number(negative),
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn other_number(&mut self, negative: bool) {
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
    pub(super) fn string(&mut self) -> Step {
        self.drop_type();
        let start = self.at;
        let Some((hash, end)) = string(self.sql, start) else { return self.slow_string(start) };
        let after = self.sql.get(end).copied().unwrap_or(0);
        if after == b'\'' || ((class(after) == Class::Space || after == b'-') && self.goes_on(end)) {
            return self.slow_string(start);
        }
        self.value(hash);
        self.at = end;
        Ok(())
    }

    /// Does the string that ended before `at` go on in another line?
    pub(super) fn goes_on(&self, at: usize) -> bool {
        match self.sql.get(at + 1) {
            Some(b'\'' | b'-' | b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | 0) => {
                string_goes_on(self.sql, at).is_some()
            }
            _ => false,
        }
    }

    /// A literal with anything to unescape, or cut off.
    #[cold]
    #[inline(never)]
    pub(super) fn slow_string(&mut self, start: usize) -> Step {
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

    pub(super) fn dollar(&mut self) -> Step {
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
    pub(super) fn drop_type(&mut self) {
        if matches!(self.prev, Prev::Name | Prev::Current | Prev::Quoted) {
            self.drop_type_before();
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn drop_type_before(&mut self) {
        let (start, end) = self.last_word;
        let keyword = self.prev != Prev::Quoted
            && !self.last_word_dotted
            && !is_type(&self.sql[start..end].to_ascii_lowercase(), || {
                self.before_name.prev <= Prev::Default
            });
        if keyword || self.in_options() {
            return;
        }
        self.chain = self.before_name.chain;
        self.prev = self.before_name.prev;
        self.frame.pure = self.before_name.pure;
    }

    /// Is the innermost open parenthesis that of OPTIONS?
    pub(super) fn in_options(&self) -> bool {
        let mut holds = self.frame.holds;
        let mut depth = self.depth;
        while holds == Holds::Bracket && depth > 0 {
            depth -= 1;
            holds = self.stack[depth].holds;
        }
        holds == Holds::Options
    }
}
