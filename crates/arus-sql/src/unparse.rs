//! Syntax trees back to SQL, as `Display` of the nodes: names in EXPLAIN, scripts that are written out.
//!
//! Invariant: the text parses to the same tree, spans apart. Parentheses stand only where the tree needs them; names are quoted where they were.

mod alert;
mod alter;
mod expr;
mod query;
mod statement;

use crate::ast::*;
use std::fmt::{Display, Formatter, Result, Write};

/// A name in back-ticks, whatever it is.
pub fn quoted_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A string in quotes.
pub fn quoted_string(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// The items with `separator` between them.
fn list<T: Display>(f: &mut Formatter<'_>, items: impl IntoIterator<Item = T>, separator: &str) -> Result {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// ` (a, b)` if there is anything in it.
fn columns(f: &mut Formatter<'_>, names: &[Ident]) -> Result {
    if names.is_empty() {
        return Ok(());
    }
    f.write_str(" (")?;
    list(f, names, ", ")?;
    f.write_char(')')
}

impl Display for Ident {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.quoted { f.write_str(&quoted_name(&self.value)) } else { f.write_str(&self.value) }
    }
}

impl Display for ObjectName {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        list(f, &self.parts, ".")
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&quoted_string(&self.value))
    }
}

impl Display for DataType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.kind)?;
        if self.not_null {
            f.write_str(" NOT NULL")?;
        }
        Ok(())
    }
}

fn sized(f: &mut Formatter<'_>, name: &str, length: Option<u32>) -> Result {
    match length {
        Some(length) => write!(f, "{name}({length})"),
        None => f.write_str(name),
    }
}

impl Display for TypeKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            TypeKind::Char(n) => sized(f, "CHAR", *n),
            TypeKind::Varchar(n) => sized(f, "VARCHAR", *n),
            TypeKind::String => f.write_str("STRING"),
            TypeKind::Binary(n) => sized(f, "BINARY", *n),
            TypeKind::Varbinary(n) => sized(f, "VARBINARY", *n),
            TypeKind::Bytes => f.write_str("BYTES"),
            TypeKind::Boolean => f.write_str("BOOLEAN"),
            TypeKind::Decimal(Some(p), Some(s)) => write!(f, "DECIMAL({p}, {s})"),
            TypeKind::Decimal(p, _) => sized(f, "DECIMAL", *p),
            TypeKind::TinyInt => f.write_str("TINYINT"),
            TypeKind::SmallInt => f.write_str("SMALLINT"),
            TypeKind::Int => f.write_str("INT"),
            TypeKind::BigInt => f.write_str("BIGINT"),
            TypeKind::Float => f.write_str("FLOAT"),
            TypeKind::Double => f.write_str("DOUBLE"),
            TypeKind::Date => f.write_str("DATE"),
            TypeKind::Time(p) => sized(f, "TIME", *p),
            TypeKind::Timestamp(p) => sized(f, "TIMESTAMP", *p),
            TypeKind::TimestampLtz(p) => sized(f, "TIMESTAMP_LTZ", *p),
            TypeKind::Interval(qualifier) => write!(f, "INTERVAL {qualifier}"),
            TypeKind::Array(element) => write!(f, "ARRAY<{element}>"),
            TypeKind::Multiset(element) => write!(f, "MULTISET<{element}>"),
            TypeKind::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            TypeKind::Row(fields) => {
                f.write_str("ROW<")?;
                list(f, fields, ", ")?;
                f.write_char('>')
            }
            TypeKind::Raw(class, snapshot) => write!(f, "RAW({class}, {snapshot})"),
            TypeKind::Variant => f.write_str("VARIANT"),
            TypeKind::Bitmap => f.write_str("BITMAP"),
            TypeKind::Structured(class, fields) => {
                write!(f, "STRUCTURED<{class}")?;
                for field in fields {
                    write!(f, ", {field}")?;
                }
                f.write_char('>')
            }
            TypeKind::Named(name) => write!(f, "{name}"),
        }
    }
}

impl Display for RowField {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} {}", self.name, self.data_type)?;
        match &self.comment {
            Some(comment) => write!(f, " {comment}"),
            None => Ok(()),
        }
    }
}

impl Display for IntervalQualifier {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.start.as_str())?;
        match (self.precision, self.fraction) {
            (Some(p), Some(s)) if self.end.is_none() => write!(f, "({p}, {s})")?,
            (Some(p), _) => write!(f, "({p})")?,
            _ => {}
        }
        if let Some(end) = self.end {
            write!(f, " TO ")?;
            sized(f, end.as_str(), self.fraction)?;
        }
        Ok(())
    }
}
