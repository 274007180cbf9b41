//! Data types, time units and interval qualifiers.

use super::{ParseError, Parser, Result};
use crate::ast::*;
use crate::lexer::TokenKind;

const UNITS: [(&str, TimeUnit); 21] = [
    ("YEAR", TimeUnit::Year),
    ("QUARTER", TimeUnit::Quarter),
    ("MONTH", TimeUnit::Month),
    ("WEEK", TimeUnit::Week),
    ("DAY", TimeUnit::Day),
    ("HOUR", TimeUnit::Hour),
    ("MINUTE", TimeUnit::Minute),
    ("SECOND", TimeUnit::Second),
    ("MILLISECOND", TimeUnit::Millisecond),
    ("MICROSECOND", TimeUnit::Microsecond),
    ("NANOSECOND", TimeUnit::Nanosecond),
    ("DOW", TimeUnit::Dow),
    ("DAYOFWEEK", TimeUnit::Dow),
    ("ISODOW", TimeUnit::IsoDow),
    ("DOY", TimeUnit::Doy),
    ("DAYOFYEAR", TimeUnit::Doy),
    ("ISOYEAR", TimeUnit::IsoYear),
    ("DECADE", TimeUnit::Decade),
    ("CENTURY", TimeUnit::Century),
    ("MILLENNIUM", TimeUnit::Millennium),
    ("EPOCH", TimeUnit::Epoch),
];

/// The first of [`UNITS`] that an interval can have; there they may also be written as plurals.
const INTERVAL_UNITS: usize = 8;

impl Parser<'_> {
    /// A type with `NULL`, `NOT NULL` or neither behind it.
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        let mut data_type = self.data_type_name()?;
        if self.at_words(&["NOT", "NULL"]) {
            self.pos += 2;
            data_type.not_null = true;
        } else {
            self.eat("NULL");
        }
        data_type.span = self.since(data_type.span);
        Ok(data_type)
    }

    /// A type without a word on NULL, as casts have it.
    pub(super) fn data_type_name(&mut self) -> Result<DataType> {
        self.nested(|p| {
            let start = p.span();
            let mut data_type = DataType { kind: p.type_kind()?, not_null: false, span: p.since(start) };
            while p.at_any(&["ARRAY", "MULTISET"]) {
                let array = p.at("ARRAY");
                p.advance();
                p.grow(1)?;
                let element = Box::new(data_type);
                data_type = DataType {
                    kind: if array { TypeKind::Array(element) } else { TypeKind::Multiset(element) },
                    not_null: false,
                    span: p.since(start),
                };
            }
            Ok(data_type)
        })
    }

    fn type_kind(&mut self) -> Result<TypeKind> {
        let word = self.word_at(0).to_ascii_uppercase();
        let simple = match word.as_str() {
            "STRING" => Some(TypeKind::String),
            "BYTES" => Some(TypeKind::Bytes),
            "BOOLEAN" => Some(TypeKind::Boolean),
            "TINYINT" => Some(TypeKind::TinyInt),
            "SMALLINT" => Some(TypeKind::SmallInt),
            "INT" | "INTEGER" => Some(TypeKind::Int),
            "BIGINT" => Some(TypeKind::BigInt),
            "FLOAT" | "REAL" => Some(TypeKind::Float),
            "DATE" => Some(TypeKind::Date),
            "VARIANT" => Some(TypeKind::Variant),
            "BITMAP" => Some(TypeKind::Bitmap),
            _ => None,
        };
        if let Some(kind) = simple {
            self.advance();
            return Ok(kind);
        }
        match word.as_str() {
            "CHAR" | "CHARACTER" | "VARCHAR" | "BINARY" | "VARBINARY" => self.sized_type(&word),
            "DOUBLE" => {
                self.advance();
                self.eat("PRECISION");
                Ok(TypeKind::Double)
            }
            "DECIMAL" | "DEC" | "NUMERIC" => {
                self.advance();
                self.decimal_type()
            }
            "TIME" | "TIMESTAMP" | "TIMESTAMP_LTZ" => self.time_type(&word),
            "INTERVAL" => {
                self.advance();
                Ok(TypeKind::Interval(self.interval_qualifier()?))
            }
            "ARRAY" | "MULTISET" => {
                self.advance();
                self.open_angle()?;
                let element = Box::new(self.data_type()?);
                self.close_angle()?;
                Ok(if word == "ARRAY" { TypeKind::Array(element) } else { TypeKind::Multiset(element) })
            }
            "MAP" if self.kind_at(1) == TokenKind::Lt => {
                self.advance();
                self.open_angle()?;
                let key = Box::new(self.data_type()?);
                self.expect_kind(TokenKind::Comma, "`,`")?;
                let value = Box::new(self.data_type()?);
                self.close_angle()?;
                Ok(TypeKind::Map(key, value))
            }
            "ROW" => {
                self.advance();
                self.row_type()
            }
            "RAW" => {
                self.advance();
                self.lparen()?;
                let class = self.text("a class name in quotes")?;
                self.expect_kind(TokenKind::Comma, "`,`")?;
                let snapshot = self.text("a serializer snapshot in quotes")?;
                self.rparen()?;
                Ok(TypeKind::Raw(class, snapshot))
            }
            "STRUCTURED" => {
                self.advance();
                self.open_angle()?;
                let class = self.text("a class name in quotes")?;
                let mut fields = Vec::new();
                while self.eat_kind(TokenKind::Comma) {
                    fields.push(self.row_field()?);
                }
                self.close_angle()?;
                Ok(TypeKind::Structured(class, fields))
            }
            _ => self.object_name("a type").map(TypeKind::Named),
        }
    }

    fn open_angle(&mut self) -> Result<()> {
        self.expect_kind(TokenKind::Lt, "`<`").map(drop)
    }

    fn close_angle(&mut self) -> Result<()> {
        if self.eat_kind(TokenKind::Gt) {
            return Ok(());
        }
        self.unexpected(&["`,`", "`>`"])
    }

    /// `(n)`, if it is there.
    fn length(&mut self) -> Result<Option<u32>> {
        if !self.eat_kind(TokenKind::LParen) {
            return Ok(None);
        }
        let length = self.unsigned("a length")?;
        self.rparen()?;
        Ok(Some(length))
    }

    fn sized_type(&mut self, word: &str) -> Result<TypeKind> {
        self.advance();
        let varying = !word.starts_with("VAR") && self.eat("VARYING");
        let length = self.length()?;
        let kind = match word {
            "VARCHAR" => TypeKind::Varchar(length),
            "VARBINARY" => TypeKind::Varbinary(length),
            "BINARY" if varying => TypeKind::Varbinary(length),
            "BINARY" => TypeKind::Binary(length),
            _ if varying => TypeKind::Varchar(length),
            _ => TypeKind::Char(length),
        };
        if self.at_words(&["CHARACTER", "SET"]) {
            return Err(ParseError::new(self.span(), "CHARACTER SET is not supported")
                .with_hint("leave it out: strings are Unicode"));
        }
        Ok(kind)
    }

    fn decimal_type(&mut self) -> Result<TypeKind> {
        if !self.eat_kind(TokenKind::LParen) {
            return Ok(TypeKind::Decimal(None, None));
        }
        let precision = self.unsigned("a precision")?;
        let mut scale = None;
        if self.eat_kind(TokenKind::Comma) {
            scale = Some(self.unsigned("a scale")?);
        }
        self.rparen()?;
        Ok(TypeKind::Decimal(Some(precision), scale))
    }

    fn time_type(&mut self, word: &str) -> Result<TypeKind> {
        self.advance();
        let precision = self.length()?;
        let mut local = word == "TIMESTAMP_LTZ";
        if !local && self.eat("WITHOUT") {
            self.expect_words(&["TIME", "ZONE"])?;
        } else if !local && self.at("WITH") {
            let start = self.span();
            self.advance();
            if !self.at("LOCAL") {
                return Err(self
                    .unexpected_error(&["LOCAL"])
                    .with_hint("TIMESTAMP WITH LOCAL TIME ZONE (TIMESTAMP_LTZ) is the type with a time zone"));
            }
            self.expect_words(&["LOCAL", "TIME", "ZONE"])?;
            local = true;
            if word == "TIME" {
                return Err(ParseError::new(self.since(start), "TIME WITH LOCAL TIME ZONE is not supported"));
            }
        }
        Ok(match word {
            "TIME" => TypeKind::Time(precision),
            _ if local => TypeKind::TimestampLtz(precision),
            _ => TypeKind::Timestamp(precision),
        })
    }

    /// Behind ROW: `<..>`, `(..)`, or `<>` for none.
    fn row_type(&mut self) -> Result<TypeKind> {
        if self.eat_kind(TokenKind::NotEq) {
            return Ok(TypeKind::Row(Vec::new()));
        }
        let (close, shown) = if self.eat_kind(TokenKind::Lt) {
            (TokenKind::Gt, "`>`")
        } else if self.eat_kind(TokenKind::LParen) {
            (TokenKind::RParen, "`)`")
        } else {
            return self.unexpected(&["`<`", "`(`"]);
        };
        let mut fields = Vec::new();
        if self.kind() != close {
            fields = self.comma_list(Self::row_field)?;
        }
        if !self.eat_kind(close) {
            return self.unexpected(&["`,`", shown]);
        }
        Ok(TypeKind::Row(fields))
    }

    fn row_field(&mut self) -> Result<RowField> {
        let name = self.ident("a field name")?;
        let data_type = self.data_type()?;
        let comment = self.string_literal()?;
        Ok(RowField { name, data_type, comment })
    }

    // ---- units

    /// A unit of EXTRACT, TIMESTAMPADD and the like; `SQL_TSI_DAY` is DAY.
    pub(super) fn time_unit(&mut self) -> Result<TimeUnit> {
        let word = self.word_at(0).to_ascii_uppercase();
        let name = word.strip_prefix("SQL_TSI_").unwrap_or(&word);
        let unit = match name {
            "FRAC_SECOND" => Some(TimeUnit::Microsecond),
            _ => UNITS.iter().find(|(n, _)| *n == name).map(|(_, unit)| *unit),
        };
        match unit {
            Some(unit) => {
                self.advance();
                Ok(unit)
            }
            None => {
                let mut error = self.unexpected_error(&["a time unit such as DAY or SECOND"]);
                let near = crate::nearest::nearest(name, UNITS.iter().map(|(n, _)| *n));
                error.hint = near.map(|n| format!("did you mean {n}?"));
                Err(error)
            }
        }
    }

    fn interval_unit(&mut self) -> Result<TimeUnit> {
        let word = self.word_at(0).to_ascii_uppercase();
        let singular = word.strip_suffix('S').unwrap_or(&word);
        match UNITS[..INTERVAL_UNITS].iter().find(|(name, _)| *name == singular) {
            Some((_, unit)) => {
                self.advance();
                Ok(*unit)
            }
            None => {
                let names = UNITS[..INTERVAL_UNITS].iter().map(|(name, _)| *name);
                let hint = crate::nearest::nearest(&word, names).map(|name| format!("did you mean {name}?"));
                let mut error = self.unexpected_error(&["an interval unit such as DAY or SECOND"]);
                let words = word.is_empty() || !word.chars().all(|c| c.is_ascii_alphanumeric());
                error.hint = hint
                    .or_else(|| {
                        words.then(|| {
                            "write the number in quotes and the unit behind it: INTERVAL '5' MINUTE".to_string()
                        })
                    })
                    .or_else(|| {
                        word.starts_with("MILLI")
                            .then(|| "write milliseconds as a fraction: INTERVAL '0.5' SECOND".to_string())
                    });
                Err(error)
            }
        }
    }

    /// `DAY(2) TO SECOND(3)`
    pub(super) fn interval_qualifier(&mut self) -> Result<IntervalQualifier> {
        let start = self.span();
        let unit = self.interval_unit()?;
        let (mut precision, mut fraction) = (None, None);
        if self.kind() == TokenKind::LParen && self.kind_at(1) == TokenKind::Integer {
            self.advance();
            precision = Some(self.unsigned("a precision")?);
            if unit == TimeUnit::Second && self.eat_kind(TokenKind::Comma) {
                fraction = Some(self.unsigned("a precision")?);
            }
            self.rparen()?;
        }
        let mut end = None;
        if self.eat("TO") {
            let at = self.span();
            let last = self.interval_unit()?;
            let fits = match unit {
                TimeUnit::Year => last == TimeUnit::Month,
                TimeUnit::Day => matches!(last, TimeUnit::Hour | TimeUnit::Minute | TimeUnit::Second),
                TimeUnit::Hour => matches!(last, TimeUnit::Minute | TimeUnit::Second),
                TimeUnit::Minute => last == TimeUnit::Second,
                _ => false,
            };
            if !fits {
                return Err(ParseError::new(
                    at,
                    format!("an interval cannot go from {} to {}", unit.as_str(), last.as_str()),
                )
                .with_hint("YEAR TO MONTH, and any of DAY, HOUR, MINUTE, SECOND to a smaller one"));
            }
            if last == TimeUnit::Second {
                fraction = self.length()?;
            }
            end = Some(last);
        }
        Ok(IntervalQualifier { start: unit, precision, end, fraction, span: self.since(start) })
    }
}
