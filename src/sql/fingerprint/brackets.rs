//! Brackets, commas, casts and operators of the fast digest: where lists fold.

use super::*;

impl Pass<'_, '_, '_, '_> {
    pub(super) fn comma(&mut self) {
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

    pub(super) fn open(&mut self) -> Step {
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

    pub(super) fn open_bracket(&mut self) -> Step {
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

    pub(super) fn push(&mut self, frame: Frame) -> Step {
        self.stack.truncate(self.depth);
        if self.stack.is_full() {
            return Err(AskReference);
        }
        self.stack.push(self.frame);
        self.depth += 1;
        self.frame = frame;
        Ok(())
    }

    pub(super) fn link_open(&mut self, bracket: u8) {
        self.chain = self.chain.link(u64::from(bracket));
        self.prev = Prev::Open;
        self.at += 1;
    }

    /// Leaves the innermost bracket.
    pub(super) fn pop(&mut self) -> Frame {
        self.closed = self.frame.before;
        self.depth -= 1;
        std::mem::replace(&mut self.frame, self.stack[self.depth])
    }

    pub(super) fn close(&mut self) {
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
            self.fold_list(self.frame);
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
    pub(super) fn end_row(&mut self, row: &Frame, values: bool) {
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

    pub(super) fn close_bracket(&mut self) {
        self.token();
        self.at += 1;
        if self.frame.holds != Holds::Bracket || self.depth == 0 {
            return self.symbol(u64::from(b']'), Prev::Close);
        }
        let whole = self.frame.pure
            && self.frame.count > 0
            && matches!(self.prev, Prev::Value | Prev::Element | Prev::SingleElement);
        if whole {
            self.fold_list(self.frame);
        }
        let inner = self.pop();
        self.chain = self.chain.link(u64::from(b']'));
        self.prev = Prev::Close;
        let within = match inner.shape {
            VALUE_SHAPE => 0,
            shape if shape & BRACKETS_SHAPE != 0 => shape & !BRACKETS_SHAPE,
            _ => DEEPEST_ARRAY,
        };
        let depth = (within & 0xff) + 1;
        let in_place = self.frame.pure
            && matches!(self.frame.holds, Holds::List | Holds::Bracket)
            && matches!(inner.before.1, Prev::Open | Prev::Comma | Prev::Array);
        if whole && in_place && depth <= DEEPEST_ARRAY {
            let keyword = if inner.before.1 == Prev::Array { ARRAY_SHAPE << depth } else { 0 };
            self.element(BRACKETS_SHAPE | ((within & !0xff) + depth) | keyword);
            self.prev = Prev::Element;
        } else {
            self.frame.pure = false;
        }
    }

    pub(super) fn dot(&mut self) -> Step {
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

    pub(super) fn colon(&mut self) -> Step {
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
    pub(super) fn unwrap(&mut self) {
        self.frame = self.stack[self.depth];
        (self.chain, self.prev) = self.closed;
        self.placeholder();
    }

    /// A type was skipped: what stood in it is no token, but a comment in it counts, and an open end too.
    pub(super) fn skipped(&mut self, from: usize, to: usize) {
        for token in Lexer::starting_at(&self.sql[..to], from) {
            self.comments |= token.kind == TokenKind::Comment;
            self.truncated |= token.unterminated;
        }
    }

    /// Where the type of a cast ends. The usual case, a single word, is seen at a glance.
    #[inline(always)]
    pub(super) fn cast_end(&mut self, at: usize) -> Option<usize> {
        let word = name_word(load(self.sql, at));
        let (end, act) = match word.len {
            8 => {
                let tail = name_word(load(self.sql, at + 8));
                // Sixteen bytes and more are looked at in full.
                let act = if tail.len < 8 { long_act(word.folded, tail.folded) } else { Act::TypeHead };
                (at + 8 + tail.len, act)
            }
            len => (at + len, act(word.folded)),
        };
        let plain = word.len > 0
            && !self.sql[at].is_ascii_digit()
            && self.sql[at] != b'$'
            && matches!(act, Act::Name)
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

    pub(super) fn operator(&mut self, first: u8) -> Step {
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
    pub(super) fn minus(&mut self) -> Step {
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
}
