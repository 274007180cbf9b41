//! Operands: literals, names, parentheses, CASE, CAST and the functions with a syntax of their own.

use super::expr::QueryOrList;
use super::{ParseError, Parser, Result};
use crate::ast::*;
use crate::lexer::{TokenKind, is_niladic, is_reserved, is_reserved_function, literal};

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Result<Expr> {
        let start = self.span();
        let kind = match self.kind() {
            TokenKind::Integer => ExprKind::Literal(Literal::Integer(self.taken())),
            TokenKind::Decimal => ExprKind::Literal(Literal::Decimal(self.taken())),
            TokenKind::Approximate => ExprKind::Literal(Literal::Approximate(self.taken())),
            TokenKind::String | TokenKind::UnicodeString | TokenKind::EscapedString => {
                ExprKind::Literal(Literal::String(self.text("a string")?.value))
            }
            TokenKind::BinaryString => self.binary_literal()?,
            TokenKind::LParen => match self.query_or_list()? {
                QueryOrList::Query(query) => ExprKind::Subquery(query),
                QueryOrList::List(mut list) if list.len() == 1 => match list.pop() {
                    Some(expr) => self.interval_minus(expr.kind)?,
                    None => ExprKind::Row(list),
                },
                QueryOrList::List(list) => ExprKind::Row(list),
            },
            TokenKind::BackQuoted => self.name_or_call()?,
            TokenKind::Word => match self.keyword_operand()? {
                Some(kind) => kind,
                None => self.name_or_call()?,
            },
            TokenKind::Question => {
                return Err(ParseError::new(start, "parameters (?) are not supported in this text")
                    .with_hint("write the value itself"));
            }
            TokenKind::LBrace => self.braces()?,
            _ => return self.unexpected(&["an expression"]),
        };
        Ok(Expr { kind, span: self.since(start) })
    }

    /// `(a - b) DAY`: a difference in parentheses with the unit of its interval behind it.
    fn interval_minus(&mut self, kind: ExprKind) -> Result<ExprKind> {
        const UNITS: [&str; 6] = ["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];
        match kind {
            ExprKind::Binary { op: BinaryOp::Minus, left, right } if self.at_any(&UNITS) => {
                Ok(ExprKind::DatetimeMinus { later: left, earlier: right, qualifier: self.interval_qualifier()? })
            }
            kind => Ok(kind),
        }
    }

    /// The text of the next token.
    fn taken(&mut self) -> String {
        self.advance().span.of(self.text).to_string()
    }

    fn name_or_call(&mut self) -> Result<ExprKind> {
        let word = self.word_at(0);
        let called = self.kind_at(1) == TokenKind::LParen;
        if is_reserved(word) && ((called && is_reserved_function(word)) || is_niladic(word)) {
            let token = self.advance();
            let name = Ident { value: word.to_string(), quoted: false, span: token.span };
            let name = ObjectName { span: token.span, parts: vec![name] };
            if called {
                return self.call(name).map(|c| ExprKind::Call(Box::new(c)));
            }
            return Ok(ExprKind::Call(Box::new(Call::plain(name, Vec::new()))));
        }
        let name = self.object_name("an expression")?;
        if self.kind() == TokenKind::LParen {
            return self.call(name).map(|c| ExprKind::Call(Box::new(c)));
        }
        Ok(ExprKind::Name(name.parts))
    }

    /// Operands that a word announces; `None` if it is a name or an ordinary function.
    fn keyword_operand(&mut self) -> Result<Option<ExprKind>> {
        let word = self.word_at(0).to_ascii_uppercase();
        let next = self.kind_at(1);
        let called = next == TokenKind::LParen;
        let constant = match word.as_str() {
            "NULL" => Some(Literal::Null),
            "UNKNOWN" => Some(Literal::Unknown),
            "TRUE" => Some(Literal::Boolean(true)),
            "FALSE" => Some(Literal::Boolean(false)),
            _ => None,
        };
        if let Some(constant) = constant {
            self.advance();
            return Ok(Some(ExprKind::Literal(constant)));
        }
        match word.as_str() {
            "DATE" | "TIME" | "TIMESTAMP" if !called => self.time_literal(&word).map(Some),
            "INTERVAL" => self.interval().map(Some),
            "CASE" => self.case().map(Some),
            "EXISTS" | "UNIQUE" if called => self.exists(&word).map(Some),
            "ARRAY" | "MAP" | "MULTISET" if called || next == TokenKind::LBracket => self.collection(&word).map(Some),
            "ROW" if called => {
                self.advance();
                self.paren_list(Self::expr).map(|items| Some(ExprKind::Row(items)))
            }
            "NEXT" if self.at_word(1, "VALUE") => {
                self.pos += 2;
                self.expect("FOR")?;
                self.object_name("a sequence name")?;
                Ok(Some(ExprKind::Unsupported { what: "NEXT VALUE FOR".into() }))
            }
            _ if called => self.special_call(&word),
            _ => Ok(None),
        }
    }

    /// Functions with a syntax of their own.
    fn special_call(&mut self, word: &str) -> Result<Option<ExprKind>> {
        let kind = match word {
            "CAST" | "TRY_CAST" => self.cast(word == "TRY_CAST")?,
            "EXTRACT" => self.extract()?,
            "TRIM" => self.trim()?,
            "SUBSTRING" => self.substring()?,
            "POSITION" => self.position()?,
            "OVERLAY" => self.overlay()?,
            "CEIL" | "CEILING" | "FLOOR" => self.round(word)?,
            "TIMESTAMPADD" | "TIMESTAMPDIFF" => self.timestamp_call(word == "TIMESTAMPADD")?,
            "PERIOD" => {
                self.advance();
                ExprKind::Row(self.paren_list(Self::expr)?)
            }
            _ if word.starts_with("JSON_") => match self.json_call(word)? {
                Some(json) => ExprKind::Json(Box::new(json)),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(kind))
    }

    // ---- literals

    /// A string of any form, with the fragments that follow on later lines; `None` if the next token is no string.
    pub(super) fn string_literal(&mut self) -> Result<Option<Text>> {
        let start = self.span();
        let mut value = String::new();
        let mut fragments = 0;
        while let TokenKind::String | TokenKind::UnicodeString | TokenKind::EscapedString = self.kind() {
            let span = self.span();
            if fragments > 0 {
                let before = self.since(start).end as usize;
                if !self.text[before..span.start as usize].contains('\n') {
                    return Err(ParseError::new(span, "two strings stand side by side")
                        .with_hint("join them with ||, or write them on separate lines to make one string"));
                }
            }
            let token = self.advance();
            let text = token.span.of(self.text);
            value.push_str(&match token.kind {
                TokenKind::UnicodeString => {
                    let escape = self.unicode_escape()?;
                    literal::unicode(text, escape, token.span)?
                }
                TokenKind::EscapedString => literal::escaped(text, token.span)?,
                _ => literal::string(text),
            });
            fragments += 1;
        }
        Ok((fragments > 0).then(|| Text { value, span: self.since(start) }))
    }

    /// `UESCAPE '!'`, else the backslash.
    fn unicode_escape(&mut self) -> Result<char> {
        if !self.eat("UESCAPE") {
            return Ok('\\');
        }
        let token = self.expect_kind(TokenKind::String, "the escape character in quotes")?;
        let text = literal::string(token.span.of(self.text));
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_ascii_hexdigit() && !c.is_whitespace() && !matches!(c, '+' | '"' | '\'') => Ok(c),
            _ => Err(ParseError::new(
                token.span,
                "the escape character must be one character that is no hexadecimal digit, blank, quote or +",
            )),
        }
    }

    fn binary_literal(&mut self) -> Result<ExprKind> {
        let mut bytes = Vec::new();
        while self.kind() == TokenKind::BinaryString {
            let span = self.advance().span;
            bytes.extend(literal::binary(span.of(self.text), span)?);
        }
        Ok(ExprKind::Literal(Literal::Binary(bytes)))
    }

    fn time_literal(&mut self, word: &str) -> Result<ExprKind> {
        if word == "TIMESTAMP" && self.at_word(1, "WITH") {
            self.advance();
            self.expect_words(&["WITH", "LOCAL", "TIME", "ZONE"])?;
            let text = self.text("a timestamp in quotes")?;
            return Ok(ExprKind::Literal(Literal::TimestampLtz(text.value)));
        }
        let string = matches!(self.kind_at(1), TokenKind::String | TokenKind::UnicodeString | TokenKind::EscapedString);
        if !string {
            // The word itself is what does not fit: a column of that name needs back-ticks.
            return self.unexpected(&["an expression"]);
        }
        self.advance();
        let text = self.text("a string")?.value;
        Ok(ExprKind::Literal(match word {
            "DATE" => Literal::Date(text),
            "TIME" => Literal::Time(text),
            _ => Literal::Timestamp(text),
        }))
    }

    /// `{d '2020-01-01'}`, `{fn f(x)}`: the escapes of JDBC, known by name only.
    fn braces(&mut self) -> Result<ExprKind> {
        self.advance();
        while !matches!(self.kind(), TokenKind::RBrace | TokenKind::Semicolon | TokenKind::End) {
            self.advance();
        }
        self.expect_kind(TokenKind::RBrace, "`}`")?;
        Ok(ExprKind::Unsupported { what: "the JDBC escape {..}".into() })
    }

    fn interval(&mut self) -> Result<ExprKind> {
        self.expect("INTERVAL")?;
        let sign = self.kind();
        let signed = matches!(sign, TokenKind::Minus | TokenKind::Plus)
            && matches!(self.kind_at(1), TokenKind::String | TokenKind::UnicodeString | TokenKind::EscapedString);
        if signed {
            self.advance();
        }
        if let Some(text) = self.string_literal()? {
            return Ok(ExprKind::Literal(Literal::Interval {
                negative: sign == TokenKind::Minus,
                text: text.value,
                qualifier: self.interval_qualifier()?,
            }));
        }
        let start = self.span();
        let kind = match self.kind() {
            TokenKind::Integer | TokenKind::Decimal | TokenKind::LParen => return self.interval_of(),
            _ if self.at_name() => ExprKind::Name(self.object_name("an interval")?.parts),
            _ => return self.unexpected(&["a string such as '5'"]),
        };
        let value = Expr { kind, span: self.since(start) };
        Ok(ExprKind::IntervalOf { value: Box::new(value), qualifier: self.interval_qualifier()? })
    }

    fn interval_of(&mut self) -> Result<ExprKind> {
        let value = self.nested(Self::primary)?;
        Ok(ExprKind::IntervalOf { value: Box::new(value), qualifier: self.interval_qualifier()? })
    }

    // ---- CASE, EXISTS, collections

    fn case(&mut self) -> Result<ExprKind> {
        self.expect("CASE")?;
        let mut operand = if self.at("WHEN") { None } else { Some(self.boxed_expr()?) };
        let mut branches = Vec::new();
        let mut lists = false;
        while self.eat("WHEN") {
            let mut values = vec![self.expr()?];
            while operand.as_ref().is_some_and(|x| matches!(x.kind, ExprKind::Name(_)))
                && self.eat_kind(TokenKind::Comma)
            {
                values.push(self.expr()?);
                lists = true;
            }
            if !self.eat("THEN") {
                let error = self.unexpected_error(&["THEN"]);
                return Err(match (&operand, self.kind()) {
                    (Some(_), TokenKind::Comma) => error.with_hint("write CASE WHEN x IN (1, 2) THEN .."),
                    _ => error,
                });
            }
            branches.push((values, self.expr()?));
        }
        if branches.is_empty() {
            return self.unexpected(&["WHEN"]);
        }
        let otherwise = if self.eat("ELSE") { Some(self.boxed_expr()?) } else { None };
        if !self.eat("END") {
            return self.unexpected(if otherwise.is_some() { &["END"] } else { &["WHEN", "ELSE", "END"] });
        }
        let name = if lists { operand.take() } else { None };
        let branches =
            branches.into_iter().flat_map(|(values, result)| branch(name.as_deref(), values, result)).collect();
        Ok(ExprKind::Case { operand, branches, otherwise })
    }

    fn exists(&mut self, word: &str) -> Result<ExprKind> {
        self.advance();
        let start = self.span();
        match self.query_or_list()? {
            QueryOrList::Query(query) if word == "EXISTS" => Ok(ExprKind::Exists(query)),
            QueryOrList::Query(_) => Ok(ExprKind::Unsupported { what: format!("{word} (query)") }),
            QueryOrList::List(_) => Err(ParseError::new(
                self.since(start),
                format!("expected a query in the parentheses of {word}, found an expression"),
            )),
        }
    }

    fn collection(&mut self, word: &str) -> Result<ExprKind> {
        self.advance();
        if self.eat_kind(TokenKind::LBracket) {
            let mut items = Vec::new();
            let start = self.span();
            if self.kind() != TokenKind::RBracket {
                items = self.comma_list(Self::expr)?;
            }
            if self.kind() != TokenKind::RBracket {
                return self.unexpected(&["`,`", "`]`"]);
            }
            self.advance();
            return match word {
                "ARRAY" => Ok(ExprKind::Array(items)),
                "MAP" if items.len() % 2 == 1 => Err(ParseError::new(
                    self.since(start),
                    format!("MAP[..] takes keys and values in turn, found {} items", items.len()),
                )),
                "MAP" => Ok(ExprKind::Map(pairs(items))),
                _ => Ok(ExprKind::Unsupported { what: format!("{word}[..]") }),
            };
        }
        self.lparen()?;
        let query = self.query()?;
        self.rparen()?;
        Ok(match word {
            "ARRAY" => ExprKind::ArrayQuery(Box::new(query)),
            _ => ExprKind::Unsupported { what: format!("{word} (query)") },
        })
    }

    // ---- functions with a syntax of their own; each begins at its name

    fn cast(&mut self, safe: bool) -> Result<ExprKind> {
        self.advance();
        self.lparen()?;
        let operand = self.boxed_expr()?;
        self.expect("AS")?;
        let data_type = self.data_type_name()?;
        if self.at("NOT") {
            return Err(self
                .unexpected_error(&["`)`"])
                .with_hint("a cast cannot add NOT NULL; the result is as nullable as its operand"));
        }
        self.rparen()?;
        Ok(ExprKind::Cast { operand, data_type, safe })
    }

    fn extract(&mut self) -> Result<ExprKind> {
        self.advance();
        self.lparen()?;
        let unit = self.time_unit()?;
        self.expect("FROM")?;
        let operand = self.boxed_expr()?;
        self.rparen()?;
        Ok(ExprKind::Extract { unit, operand })
    }

    fn round(&mut self, word: &str) -> Result<ExprKind> {
        let start = self.advance();
        self.lparen()?;
        let operand = self.expr()?;
        if self.eat("TO") {
            let unit = self.time_unit()?;
            self.rparen()?;
            return Ok(ExprKind::RoundTo { floor: word == "FLOOR", operand: Box::new(operand), unit });
        }
        if self.kind() != TokenKind::RParen {
            return self.unexpected(&["TO", "`)`"]);
        }
        self.advance();
        let name = if word == "FLOOR" { "FLOOR" } else { "CEIL" };
        Ok(ExprKind::Call(Box::new(self.plain_call(name, start.span, vec![operand]))))
    }

    fn trim(&mut self) -> Result<ExprKind> {
        self.advance();
        self.lparen()?;
        let sides = [("BOTH", TrimSide::Both), ("LEADING", TrimSide::Leading), ("TRAILING", TrimSide::Trailing)];
        let side = sides.iter().find(|(word, _)| self.at(word)).map(|(_, side)| *side);
        if side.is_some() {
            self.advance();
        }
        let mut chars = None;
        if !self.at("FROM") {
            chars = Some(self.boxed_expr()?);
        }
        let operand = match chars.take() {
            Some(only) if self.kind() == TokenKind::RParen => only,
            before => {
                chars = before;
                self.expect("FROM")?;
                self.boxed_expr()?
            }
        };
        self.rparen()?;
        Ok(ExprKind::Trim { side: side.unwrap_or(TrimSide::Both), chars, operand })
    }

    fn substring(&mut self) -> Result<ExprKind> {
        let start = self.advance();
        self.lparen()?;
        let mut args = vec![self.expr()?];
        if !self.eat("FROM") && !self.eat_kind(TokenKind::Comma) {
            return self.unexpected(&["FROM", "`,`"]);
        }
        args.push(self.expr()?);
        if self.eat("FOR") || self.eat_kind(TokenKind::Comma) {
            args.push(self.expr()?);
        }
        self.rparen()?;
        Ok(ExprKind::Call(Box::new(self.plain_call("SUBSTRING", start.span, args))))
    }

    fn position(&mut self) -> Result<ExprKind> {
        let start = self.advance();
        self.lparen()?;
        let needle = self.nested(Self::operand_before_in)?;
        self.expect("IN")?;
        let mut args = vec![needle, self.expr()?];
        if self.eat("FROM") {
            args.push(self.expr()?);
        }
        self.rparen()?;
        Ok(ExprKind::Call(Box::new(self.plain_call("POSITION", start.span, args))))
    }

    fn overlay(&mut self) -> Result<ExprKind> {
        let start = self.advance();
        self.lparen()?;
        let mut args = vec![self.expr()?];
        self.expect("PLACING")?;
        args.push(self.expr()?);
        self.expect("FROM")?;
        args.push(self.expr()?);
        if self.eat("FOR") {
            args.push(self.expr()?);
        }
        self.rparen()?;
        Ok(ExprKind::Call(Box::new(self.plain_call("OVERLAY", start.span, args))))
    }

    fn timestamp_call(&mut self, add: bool) -> Result<ExprKind> {
        self.advance();
        self.lparen()?;
        let unit = self.time_unit()?;
        self.expect_kind(TokenKind::Comma, "`,`")?;
        let first = self.boxed_expr()?;
        self.expect_kind(TokenKind::Comma, "`,`")?;
        let second = self.boxed_expr()?;
        self.rparen()?;
        Ok(if add {
            ExprKind::TimestampAdd { unit, count: first, time: second }
        } else {
            ExprKind::TimestampDiff { unit, from: first, to: second }
        })
    }

    /// A call that was written in another form; `at` is its name.
    fn plain_call(&self, name: &str, at: Span, args: Vec<Expr>) -> Call {
        let ident = Ident { value: name.to_string(), quoted: false, span: at };
        let mut call = Call::plain(ObjectName { parts: vec![ident], span: at }, args);
        call.span = self.since(at);
        call
    }
}

impl Call {
    fn plain(name: ObjectName, args: Vec<Expr>) -> Call {
        let args = args.into_iter().map(|value| Arg { name: None, span: value.span, value: ArgValue::Expr(value) });
        Call {
            span: name.span,
            name,
            star: false,
            distinct: false,
            args: args.collect(),
            order_by: Vec::new(),
            ignore_nulls: None,
            filter: None,
            over: None,
        }
    }
}

fn pairs(items: Vec<Expr>) -> Vec<(Expr, Expr)> {
    let mut pairs = Vec::with_capacity(items.len() / 2);
    let mut rest = items.into_iter();
    while let (Some(key), Some(value)) = (rest.next(), rest.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// `WHEN 1, 2 THEN ..` behind `CASE x`: there all branches become `WHEN x IN (1, 2) THEN ..`. Only a name is repeated in this way.
fn branch(name: Option<&Expr>, mut values: Vec<Expr>, result: Expr) -> Option<(Expr, Expr)> {
    let Some(name) = name else { return values.pop().map(|condition| (condition, result)) };
    let operand = Box::new(name.clone());
    let kind = ExprKind::InList { operand, list: values, negated: false };
    Some((Expr { kind, span: name.span }, result))
}
