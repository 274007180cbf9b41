//! Types as written to logical types, with Flink's defaults and bounds.

use arus_core::Result;
use arus_core::error::Code;
use arus_core::types::{LogicalType, MAX_LENGTH, RowField, TimeAttribute, TypeKind};

use super::Binder;
use crate::ast::{self, Span, TimeUnit};

impl Binder<'_> {
    pub(crate) fn data_type(&self, written: &ast::DataType) -> Result<LogicalType> {
        use ast::TypeKind as T;
        let span = written.span;
        let kind = match &written.kind {
            T::Char(n) => TypeKind::Char(self.length("CHAR", n.unwrap_or(1), span)?),
            T::Varchar(n) => TypeKind::Varchar(self.length("VARCHAR", n.unwrap_or(1), span)?),
            T::String => TypeKind::STRING,
            T::Binary(n) => TypeKind::Binary(self.length("BINARY", n.unwrap_or(1), span)?),
            T::Varbinary(n) => TypeKind::Varbinary(self.length("VARBINARY", n.unwrap_or(1), span)?),
            T::Bytes => TypeKind::BYTES,
            T::Boolean => TypeKind::Boolean,
            T::Decimal(p, s) => self.decimal(p.unwrap_or(10), s.unwrap_or(0), span)?,
            T::TinyInt => TypeKind::TinyInt,
            T::SmallInt => TypeKind::SmallInt,
            T::Int => TypeKind::Int,
            T::BigInt => TypeKind::BigInt,
            T::Float => TypeKind::Float,
            T::Double => TypeKind::Double,
            T::Date => TypeKind::Date,
            T::Time(p) => TypeKind::Time(self.precision("TIME", p.unwrap_or(0), span)?),
            T::Timestamp(p) => TypeKind::Timestamp {
                precision: self.precision("TIMESTAMP", p.unwrap_or(6), span)?,
                attribute: TimeAttribute::None,
            },
            T::TimestampLtz(p) => TypeKind::TimestampLtz {
                precision: self.precision("TIMESTAMP_LTZ", p.unwrap_or(6), span)?,
                attribute: TimeAttribute::None,
            },
            T::Interval(q) => match q.start {
                TimeUnit::Year | TimeUnit::Quarter | TimeUnit::Month => TypeKind::IntervalYearMonth,
                _ => TypeKind::IntervalDayTime,
            },
            T::Array(element) => TypeKind::Array(Box::new(self.data_type(element)?)),
            T::Multiset(_) => return Err(self.unsupported("type MULTISET", span)),
            T::Map(key, value) => TypeKind::Map(Box::new(self.data_type(key)?), Box::new(self.data_type(value)?)),
            T::Row(fields) => self.row_type(fields)?,
            T::Raw(..) => return Err(self.unsupported("type RAW", span)),
            T::Variant => return Err(self.unsupported("type VARIANT", span)),
            T::Bitmap => return Err(self.unsupported("type BITMAP", span)),
            T::Structured(..) => return Err(self.unsupported("type STRUCTURED", span)),
            T::Named(name) => {
                let written = name.span.of(self.text);
                let error = self.wrong(Code::InvalidValue, format!("type '{written}' does not exist"), span);
                if let Some(hint) = super::habits::type_hint(written) {
                    return Err(error.with_hint(hint));
                }
                return Err(error.with_hint("user-defined types are not supported yet; there are STRING, INT, BIGINT, DOUBLE, DECIMAL(p, s), BOOLEAN, BYTES, DATE, TIME, TIMESTAMP(p), TIMESTAMP_LTZ(p), ARRAY<..>, MAP<.., ..>, ROW<..>"));
            }
        };
        Ok(LogicalType { kind, nullable: !written.not_null })
    }

    /// The type of a table's column: what cannot be stored is refused.
    pub(crate) fn column_type(&self, written: &ast::DataType) -> Result<LogicalType> {
        let ty = self.data_type(written)?;
        if has_interval(&ty) {
            return Err(self.unsupported("INTERVAL as the type of a column", written.span));
        }
        Ok(ty)
    }

    fn row_type(&self, written: &[ast::RowField]) -> Result<TypeKind> {
        let mut fields: Vec<RowField> = vec![];
        for field in written {
            if fields.iter().any(|f| f.name == field.name.value) {
                return Err(self.wrong(
                    Code::DuplicateObject,
                    format!("field '{}' stands twice in the ROW", field.name.value),
                    field.name.span,
                ));
            }
            fields.push(RowField {
                name: field.name.value.clone(),
                ty: self.data_type(&field.data_type)?,
                comment: field.comment.as_ref().map(|c| c.value.clone()),
            });
        }
        Ok(TypeKind::Row(fields))
    }

    fn length(&self, what: &str, n: u32, span: Span) -> Result<u32> {
        if (1..=MAX_LENGTH).contains(&n) {
            return Ok(n);
        }
        Err(self.wrong(
            Code::InvalidValue,
            format!("{what} length must be between 1 and {MAX_LENGTH}, found {n}"),
            span,
        ))
    }

    fn precision(&self, what: &str, p: u32, span: Span) -> Result<u8> {
        match u8::try_from(p) {
            Ok(p) if p <= 9 => Ok(p),
            _ => Err(self.wrong(
                Code::InvalidValue,
                format!("{what} precision must be between 0 and 9, found {p}"),
                span,
            )),
        }
    }

    fn decimal(&self, p: u32, s: u32, span: Span) -> Result<TypeKind> {
        if !(1..=38).contains(&p) {
            return Err(self.wrong(
                Code::InvalidValue,
                format!("DECIMAL precision must be between 1 and 38, found {p}"),
                span,
            ));
        }
        if s > p {
            return Err(self.wrong(
                Code::InvalidValue,
                format!("DECIMAL scale must be between 0 and the precision {p}, found {s}"),
                span,
            ));
        }
        Ok(TypeKind::Decimal { precision: p as u8, scale: s as u8 })
    }
}

fn has_interval(ty: &LogicalType) -> bool {
    match &ty.kind {
        k if k.is_interval() => true,
        TypeKind::Array(e) | TypeKind::Multiset(e) => has_interval(e),
        TypeKind::Map(k, v) => has_interval(k) || has_interval(v),
        TypeKind::Row(fields) => fields.iter().any(|f| has_interval(&f.ty)),
        _ => false,
    }
}

/// Whether two types have the same values: NOT NULL, time attributes and field names aside.
pub(crate) fn same_values(a: &LogicalType, b: &LogicalType) -> bool {
    match (&a.kind, &b.kind) {
        (TypeKind::Timestamp { precision: p, .. }, TypeKind::Timestamp { precision: q, .. })
        | (TypeKind::TimestampLtz { precision: p, .. }, TypeKind::TimestampLtz { precision: q, .. }) => p == q,
        (TypeKind::Array(x), TypeKind::Array(y)) | (TypeKind::Multiset(x), TypeKind::Multiset(y)) => same_values(x, y),
        (TypeKind::Map(k, v), TypeKind::Map(l, w)) => same_values(k, l) && same_values(v, w),
        (TypeKind::Row(x), TypeKind::Row(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(f, g)| f.name == g.name && same_values(&f.ty, &g.ty))
        }
        (x, y) => x == y,
    }
}
