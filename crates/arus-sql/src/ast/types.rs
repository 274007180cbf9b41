//! Data types as written.

use super::{Ident, IntervalQualifier, ObjectName, Span, Text};

#[derive(Clone, Debug)]
pub struct DataType {
    pub kind: TypeKind,
    /// `NOT NULL` was written; without it (or with NULL) the type is nullable.
    pub not_null: bool,
    pub span: Span,
}

/// Lengths and precisions are `None` where they were not written: CHAR is then 1, VARCHAR 1, DECIMAL (10,0), TIME 0, TIMESTAMP 6.
#[derive(Clone, Debug)]
pub enum TypeKind {
    Char(Option<u32>),
    Varchar(Option<u32>),
    String,
    Binary(Option<u32>),
    Varbinary(Option<u32>),
    Bytes,
    Boolean,
    /// Precision, scale.
    Decimal(Option<u32>, Option<u32>),
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    Date,
    Time(Option<u32>),
    /// Without time zone.
    Timestamp(Option<u32>),
    /// With local time zone.
    TimestampLtz(Option<u32>),
    Interval(IntervalQualifier),
    Array(Box<DataType>),
    Multiset(Box<DataType>),
    Map(Box<DataType>, Box<DataType>),
    Row(Vec<RowField>),
    /// `RAW('class', 'snapshot')`
    Raw(Text, Text),
    Variant,
    Bitmap,
    /// `STRUCTURED<'class', a INT, ..>`
    Structured(Text, Vec<RowField>),
    /// A user-defined type's name.
    Named(ObjectName),
}

/// `name TYPE ['comment']`
#[derive(Clone, Debug)]
pub struct RowField {
    pub name: Ident,
    pub data_type: DataType,
    pub comment: Option<Text>,
}
