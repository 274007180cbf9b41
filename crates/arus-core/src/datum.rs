//! One value, as literals and constant folding need it. Rows at run time are Arrow.

use serde::{Deserialize, Serialize};

/// A value in the representation that Arrow uses for its logical type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Datum {
    Null,
    Boolean(bool),
    TinyInt(i8),
    SmallInt(i16),
    Int(i32),
    BigInt(i64),
    Float(f32),
    Double(f64),
    /// Unscaled; the scale is in the type.
    Decimal(i128),
    String(String),
    Bytes(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds of the day.
    Time(i32),
    /// TIMESTAMP and TIMESTAMP_LTZ, in ms, us or ns by the precision of the type.
    Timestamp(i64),
    IntervalMonths(i32),
    IntervalMillis(i64),
    /// ROW.
    Row(Vec<Datum>),
    Array(Vec<Datum>),
    /// MAP and MULTISET, in order of insertion.
    Map(Vec<(Datum, Datum)>),
}

impl Datum {
    pub fn is_null(&self) -> bool {
        matches!(self, Datum::Null)
    }
}
