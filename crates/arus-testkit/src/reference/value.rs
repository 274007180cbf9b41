//! A value of the reference interpreter. What Arrow and the operators do with bits, it does with plain Rust.

use std::cmp::Ordering;
use std::fmt;

use arus_core::Datum;

#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Boolean(bool),
    /// Every integer type; its width is in the logical type.
    Integer(i64),
    /// Unscaled; the scale is in the type.
    Decimal(i128),
    Float(f32),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds of the day.
    Time(i32),
    /// In the unit of the type's precision.
    Timestamp(i64),
    Months(i32),
    Millis(i64),
    Row(Vec<Value>),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    /// Computing it fails the row, if anything needs it.
    Failed(String),
}

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Whether both are the same for GROUP BY and DISTINCT: NULL is the same as NULL.
    pub fn same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Null, _) | (_, Value::Null) => false,
            (Value::Row(a), Value::Row(b)) | (Value::Array(a), Value::Array(b)) => same_rows(a, b),
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len() && a.iter().all(|(k, v)| b.iter().any(|(l, w)| k.same(l) && v.same(w)))
            }
            (Value::Double(a), Value::Double(b)) if a.is_nan() && b.is_nan() => true,
            (Value::Float(a), Value::Float(b)) if a.is_nan() && b.is_nan() => true,
            (a, b) => a.compare(b) == Some(Ordering::Equal),
        }
    }

    /// The order of two values of one type that are not NULL; `None` where there is none.
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
            (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
            (Value::Decimal(a), Value::Decimal(b)) => Some(a.cmp(b)),
            (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
            (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
            (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
            (Value::Date(a), Value::Date(b)) | (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
            (Value::Timestamp(a), Value::Timestamp(b)) | (Value::Millis(a), Value::Millis(b)) => Some(a.cmp(b)),
            (Value::Months(a), Value::Months(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

pub fn same_rows(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
}

impl From<&Datum> for Value {
    fn from(datum: &Datum) -> Value {
        match datum {
            Datum::Null => Value::Null,
            Datum::Boolean(v) => Value::Boolean(*v),
            Datum::TinyInt(v) => Value::Integer((*v).into()),
            Datum::SmallInt(v) => Value::Integer((*v).into()),
            Datum::Int(v) => Value::Integer((*v).into()),
            Datum::BigInt(v) => Value::Integer(*v),
            Datum::Float(v) => Value::Float(*v),
            Datum::Double(v) => Value::Double(*v),
            Datum::Decimal(v) => Value::Decimal(*v),
            Datum::String(v) => Value::String(v.clone()),
            Datum::Bytes(v) => Value::Bytes(v.clone()),
            Datum::Date(v) => Value::Date(*v),
            Datum::Time(v) => Value::Time(*v),
            Datum::Timestamp(v) => Value::Timestamp(*v),
            Datum::IntervalMonths(v) => Value::Months(*v),
            Datum::IntervalMillis(v) => Value::Millis(*v),
            Datum::Row(v) => Value::Row(v.iter().map(Value::from).collect()),
            Datum::Array(v) => Value::Array(v.iter().map(Value::from).collect()),
            Datum::Map(v) => Value::Map(v.iter().map(|(k, v)| (k.into(), v.into())).collect()),
        }
    }
}

/// For comparing results and for people: one text for values that count as equal.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, values: &[Value]| {
            for (i, value) in values.iter().enumerate() {
                write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
            }
            Ok(())
        };
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Boolean(v) => write!(f, "{v}"),
            Value::Integer(v) => write!(f, "{v}"),
            Value::Decimal(v) => write!(f, "{v}d"),
            Value::Float(v) => write!(f, "{:?}f", v + 0.0),
            Value::Double(v) => write!(f, "{:?}", v + 0.0),
            Value::String(v) => write!(f, "'{v}'"),
            Value::Bytes(v) => write!(f, "{v:?}"),
            Value::Date(v) => write!(f, "day {v}"),
            Value::Time(v) => write!(f, "time {v}"),
            Value::Timestamp(v) => write!(f, "@{v}"),
            Value::Months(v) => write!(f, "{v} months"),
            Value::Millis(v) => write!(f, "{v} ms"),
            Value::Row(v) => {
                f.write_str("(")?;
                list(f, v)?;
                f.write_str(")")
            }
            Value::Array(v) => {
                f.write_str("[")?;
                list(f, v)?;
                f.write_str("]")
            }
            Value::Map(entries) => {
                let mut texts: Vec<String> = entries.iter().map(|(k, v)| format!("{k}={v}")).collect();
                texts.sort();
                write!(f, "{{{}}}", texts.join(", "))
            }
            Value::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

pub fn row_text(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}
