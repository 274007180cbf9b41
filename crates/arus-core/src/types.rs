//! Flink's logical types and the Arrow types that carry them.
//!
//! NOT NULL, the time attribute and the length of characters live here, never in Arrow metadata. Arrow fields
//! are always nullable, so that batches of one layout are one Arrow type.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use serde::{Deserialize, Serialize};

/// Length of STRING and BYTES: VARCHAR(2147483647), VARBINARY(2147483647).
pub const MAX_LENGTH: u32 = i32::MAX as u32;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogicalType {
    pub kind: TypeKind,
    pub nullable: bool,
}

/// Whether a timestamp column carries event time or processing time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum TimeAttribute {
    #[default]
    None,
    Rowtime,
    Proctime,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RowField {
    pub name: String,
    pub ty: LogicalType,
    pub comment: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TypeKind {
    Null,
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Char(u32),
    /// STRING is `Varchar(MAX_LENGTH)`.
    Varchar(u32),
    Binary(u32),
    /// BYTES is `Varbinary(MAX_LENGTH)`.
    Varbinary(u32),
    Date,
    /// Milliseconds of the day in Arrow, whatever the precision.
    Time(u8),
    Timestamp {
        precision: u8,
        attribute: TimeAttribute,
    },
    /// TIMESTAMP_LTZ: an instant, in UTC.
    TimestampLtz {
        precision: u8,
        attribute: TimeAttribute,
    },
    IntervalYearMonth,
    IntervalDayTime,
    Array(Box<LogicalType>),
    Map(Box<LogicalType>, Box<LogicalType>),
    Multiset(Box<LogicalType>),
    Row(Vec<RowField>),
}

impl TypeKind {
    pub const STRING: TypeKind = TypeKind::Varchar(MAX_LENGTH);
    pub const BYTES: TypeKind = TypeKind::Varbinary(MAX_LENGTH);

    pub fn nullable(self) -> LogicalType {
        LogicalType { kind: self, nullable: true }
    }

    pub fn not_null(self) -> LogicalType {
        LogicalType { kind: self, nullable: false }
    }

    pub fn is_integer(&self) -> bool {
        matches!(self, TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int | TypeKind::BigInt)
    }

    pub fn is_exact_numeric(&self) -> bool {
        self.is_integer() || matches!(self, TypeKind::Decimal { .. })
    }

    pub fn is_approximate(&self) -> bool {
        matches!(self, TypeKind::Float | TypeKind::Double)
    }

    pub fn is_numeric(&self) -> bool {
        self.is_exact_numeric() || self.is_approximate()
    }

    pub fn is_string(&self) -> bool {
        matches!(self, TypeKind::Char(_) | TypeKind::Varchar(_))
    }

    pub fn is_binary(&self) -> bool {
        matches!(self, TypeKind::Binary(_) | TypeKind::Varbinary(_))
    }

    pub fn is_timestamp(&self) -> bool {
        matches!(self, TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. })
    }

    pub fn is_temporal(&self) -> bool {
        self.is_timestamp() || matches!(self, TypeKind::Date | TypeKind::Time(_))
    }

    pub fn is_interval(&self) -> bool {
        matches!(self, TypeKind::IntervalYearMonth | TypeKind::IntervalDayTime)
    }

    pub fn time_attribute(&self) -> TimeAttribute {
        match self {
            TypeKind::Timestamp { attribute, .. } | TypeKind::TimestampLtz { attribute, .. } => *attribute,
            _ => TimeAttribute::None,
        }
    }
}

/// The Arrow unit that holds a timestamp of this precision.
pub fn timestamp_unit(precision: u8) -> TimeUnit {
    match precision {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

/// Units of that timestamp in a millisecond: 1, 1,000 or 1,000,000.
pub fn units_per_ms(precision: u8) -> i64 {
    match precision {
        0..=3 => 1,
        4..=6 => 1_000,
        _ => 1_000_000,
    }
}

/// The field of a list's elements.
pub const ELEMENT: &str = "element";
/// The fields of a map's entries.
pub const MAP_KEY: &str = "key";
pub const MAP_VALUE: &str = "value";

impl LogicalType {
    #[must_use]
    pub fn with_nullable(mut self, nullable: bool) -> Self {
        self.nullable = nullable;
        self
    }

    /// The same type as a plain timestamp, without its time attribute.
    #[must_use]
    pub fn without_time_attribute(mut self) -> Self {
        if let TypeKind::Timestamp { attribute, .. } | TypeKind::TimestampLtz { attribute, .. } = &mut self.kind {
            *attribute = TimeAttribute::None;
        }
        self
    }

    pub fn to_arrow(&self) -> DataType {
        match &self.kind {
            TypeKind::Null => DataType::Null,
            TypeKind::Boolean => DataType::Boolean,
            TypeKind::TinyInt => DataType::Int8,
            TypeKind::SmallInt => DataType::Int16,
            TypeKind::Int => DataType::Int32,
            TypeKind::BigInt => DataType::Int64,
            TypeKind::Float => DataType::Float32,
            TypeKind::Double => DataType::Float64,
            TypeKind::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
            TypeKind::Char(_) | TypeKind::Varchar(_) => DataType::Utf8View,
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => DataType::BinaryView,
            TypeKind::Date => DataType::Date32,
            TypeKind::Time(_) => DataType::Time32(TimeUnit::Millisecond),
            TypeKind::Timestamp { precision, .. } => DataType::Timestamp(timestamp_unit(*precision), None),
            TypeKind::TimestampLtz { precision, .. } => {
                DataType::Timestamp(timestamp_unit(*precision), Some(Arc::from("UTC")))
            }
            TypeKind::IntervalYearMonth => DataType::Int32,
            TypeKind::IntervalDayTime => DataType::Int64,
            TypeKind::Array(element) => DataType::List(Arc::new(Field::new(ELEMENT, element.to_arrow(), true))),
            TypeKind::Map(key, value) => map_to_arrow(key.to_arrow(), value.to_arrow()),
            TypeKind::Multiset(element) => map_to_arrow(element.to_arrow(), DataType::Int32),
            TypeKind::Row(fields) => {
                DataType::Struct(fields.iter().map(|f| Field::new(&f.name, f.ty.to_arrow(), true)).collect::<Fields>())
            }
        }
    }
}

/// Arrow's own maps forbid null keys, Flink's do not: a map is a list of entries.
fn map_to_arrow(key: DataType, value: DataType) -> DataType {
    let entry =
        DataType::Struct(Fields::from(vec![Field::new(MAP_KEY, key, true), Field::new(MAP_VALUE, value, true)]));
    DataType::List(Arc::new(Field::new(ELEMENT, entry, true)))
}

impl fmt::Display for TypeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeKind::Null => f.write_str("NULL"),
            TypeKind::Boolean => f.write_str("BOOLEAN"),
            TypeKind::TinyInt => f.write_str("TINYINT"),
            TypeKind::SmallInt => f.write_str("SMALLINT"),
            TypeKind::Int => f.write_str("INT"),
            TypeKind::BigInt => f.write_str("BIGINT"),
            TypeKind::Float => f.write_str("FLOAT"),
            TypeKind::Double => f.write_str("DOUBLE"),
            TypeKind::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})"),
            TypeKind::Char(n) => write!(f, "CHAR({n})"),
            TypeKind::Varchar(MAX_LENGTH) => f.write_str("STRING"),
            TypeKind::Varchar(n) => write!(f, "VARCHAR({n})"),
            TypeKind::Binary(n) => write!(f, "BINARY({n})"),
            TypeKind::Varbinary(MAX_LENGTH) => f.write_str("BYTES"),
            TypeKind::Varbinary(n) => write!(f, "VARBINARY({n})"),
            TypeKind::Date => f.write_str("DATE"),
            TypeKind::Time(p) => write!(f, "TIME({p})"),
            TypeKind::Timestamp { precision, attribute } => write!(f, "TIMESTAMP({precision}){attribute}"),
            TypeKind::TimestampLtz { precision, attribute } => write!(f, "TIMESTAMP_LTZ({precision}){attribute}"),
            TypeKind::IntervalYearMonth => f.write_str("INTERVAL YEAR TO MONTH"),
            TypeKind::IntervalDayTime => f.write_str("INTERVAL DAY TO SECOND"),
            TypeKind::Array(e) => write!(f, "ARRAY<{e}>"),
            TypeKind::Map(k, v) => write!(f, "MAP<{k}, {v}>"),
            TypeKind::Multiset(e) => write!(f, "MULTISET<{e}>"),
            TypeKind::Row(fields) => {
                f.write_str("ROW<")?;
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}`{}` {}", field.name.replace('`', "``"), field.ty)?;
                    if let Some(comment) = &field.comment {
                        write!(f, " '{}'", comment.replace('\'', "''"))?;
                    }
                }
                f.write_str(">")
            }
        }
    }
}

impl fmt::Display for TimeAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeAttribute::None => "",
            TimeAttribute::Rowtime => " *ROWTIME*",
            TimeAttribute::Proctime => " *PROCTIME*",
        })
    }
}

impl fmt::Display for LogicalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, if self.nullable { "" } else { " NOT NULL" })
    }
}
