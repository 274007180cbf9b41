//! Functions of PostgreSQL that are written row by row, over values that know their type.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::common::cast::as_list_array;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use arus_core::platform::PG_TYPE;

/// A value in the words of PostgreSQL's types.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Decimal(i128, i8),
    Text(String),
    Bytes(Vec<u8>),
    /// Days since 1970.
    Date(i32),
    /// Microseconds of the day.
    Time(i64),
    /// Microseconds since 1970; an instant, or without a zone.
    Timestamp(i64, bool),
    /// Months, days, microseconds.
    Interval(i32, i32, i64),
    List(Vec<Value>),
}

impl Value {
    pub(crate) fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            _ => "",
        }
    }

    pub(crate) fn int(&self) -> i64 {
        match self {
            Value::Int(i) => *i,
            Value::Float(f) => *f as i64,
            Value::Decimal(value, scale) => (*value / 10i128.pow(scale.unsigned_abs().into())) as i64,
            Value::Text(text) => text.trim().parse().unwrap_or(0),
            Value::Bool(b) => i64::from(*b),
            _ => 0,
        }
    }

    pub(crate) fn float(&self) -> f64 {
        match self {
            Value::Int(i) => *i as f64,
            Value::Float(f) => *f,
            Value::Decimal(value, scale) => *value as f64 / 10f64.powi(i32::from(*scale)),
            Value::Text(text) => text.trim().parse().unwrap_or(f64::NAN),
            _ => 0.0,
        }
    }

    pub(crate) fn bool(&self) -> bool {
        matches!(self, Value::Bool(true))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// Microseconds; finer than PostgreSQL is cut.
fn micros(value: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => value.saturating_mul(1_000_000),
        TimeUnit::Millisecond => value.saturating_mul(1_000),
        TimeUnit::Microsecond => value,
        TimeUnit::Nanosecond => value.div_euclid(1_000),
    }
}

pub(crate) fn value(scalar: &ScalarValue) -> Result<Value> {
    use ScalarValue as S;
    if scalar.is_null() {
        return Ok(Value::Null);
    }
    Ok(match scalar {
        S::Boolean(Some(b)) => Value::Bool(*b),
        S::Int8(Some(i)) => Value::Int((*i).into()),
        S::Int16(Some(i)) => Value::Int((*i).into()),
        S::Int32(Some(i)) => Value::Int((*i).into()),
        S::Int64(Some(i)) => Value::Int(*i),
        S::UInt8(Some(i)) => Value::Int((*i).into()),
        S::UInt16(Some(i)) => Value::Int((*i).into()),
        S::UInt32(Some(i)) => Value::Int((*i).into()),
        S::UInt64(Some(i)) => Value::Decimal((*i).into(), 0),
        S::Float32(Some(f)) => Value::Float((*f).into()),
        S::Float64(Some(f)) => Value::Float(*f),
        S::Decimal128(Some(value), _, scale) => Value::Decimal(*value, *scale),
        S::Utf8(Some(text)) | S::LargeUtf8(Some(text)) | S::Utf8View(Some(text)) => Value::Text(text.clone()),
        S::Binary(Some(bytes)) | S::LargeBinary(Some(bytes)) | S::BinaryView(Some(bytes)) => {
            Value::Bytes(bytes.clone())
        }
        S::Date32(Some(days)) => Value::Date(*days),
        S::Time32Millisecond(Some(ms)) => Value::Time(i64::from(*ms) * 1_000),
        S::Time64Microsecond(Some(us)) => Value::Time(*us),
        S::Time64Nanosecond(Some(ns)) => Value::Time(ns / 1_000),
        S::TimestampSecond(Some(t), zone) => Value::Timestamp(micros(*t, TimeUnit::Second), zone.is_some()),
        S::TimestampMillisecond(Some(t), zone) => Value::Timestamp(micros(*t, TimeUnit::Millisecond), zone.is_some()),
        S::TimestampMicrosecond(Some(t), zone) => Value::Timestamp(*t, zone.is_some()),
        S::TimestampNanosecond(Some(t), zone) => Value::Timestamp(micros(*t, TimeUnit::Nanosecond), zone.is_some()),
        S::IntervalYearMonth(Some(months)) => Value::Interval(*months, 0, 0),
        S::IntervalDayTime(Some(i)) => Value::Interval(0, i.days, i64::from(i.milliseconds) * 1_000),
        S::IntervalMonthDayNano(Some(i)) => Value::Interval(i.months, i.days, i.nanoseconds / 1_000),
        S::DurationSecond(Some(t)) => of_duration(micros(*t, TimeUnit::Second)),
        S::DurationMillisecond(Some(t)) => of_duration(micros(*t, TimeUnit::Millisecond)),
        S::DurationMicrosecond(Some(t)) => of_duration(*t),
        S::DurationNanosecond(Some(t)) => of_duration(micros(*t, TimeUnit::Nanosecond)),
        S::List(_) | S::LargeList(_) | S::FixedSizeList(_) => {
            let array = datafusion::arrow::compute::cast(
                &scalar.to_array()?,
                &DataType::List(Arc::new(Field::new_list_field(element_type(&scalar.data_type()), true))),
            )?;
            let items = as_list_array(&array)?.value(0);
            let items = (0..items.len()).map(|i| value(&ScalarValue::try_from_array(&items, i)?));
            Value::List(items.collect::<Result<_>>()?)
        }
        other => {
            let text = ScalarValue::cast_to(other, &DataType::Utf8);
            text.map_or_else(|_| Value::Text(other.to_string()), |t| Value::Text(t.to_string()))
        }
    })
}

fn of_duration(micros: i64) -> Value {
    const DAY: i64 = 86_400_000_000;
    Value::Interval(0, (micros / DAY) as i32, micros % DAY)
}

pub(crate) fn element_type(list: &DataType) -> DataType {
    match list {
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => f.data_type().clone(),
        _ => DataType::Utf8,
    }
}

pub(crate) fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

pub(crate) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
pub(crate) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

pub(crate) fn timestamptz() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The value in this type.
pub(crate) fn scalar(value: Value, ty: &DataType) -> Result<ScalarValue> {
    let found = match (value, ty) {
        (Value::Null, ty) => return ScalarValue::try_from(ty),
        (Value::Bool(b), _) => ScalarValue::Boolean(Some(b)),
        (Value::Int(i), _) => ScalarValue::Int64(Some(i)),
        (Value::Float(f), _) => ScalarValue::Float64(Some(f)),
        (Value::Decimal(value, scale), DataType::Decimal128(precision, to)) => {
            let (scale, to) = (i32::from(scale), i32::from(*to));
            return Ok(ScalarValue::Decimal128(Some(rescale(value, scale, to)), *precision, to as i8));
        }
        (Value::Decimal(value, scale), _) => ScalarValue::Decimal128(Some(value), 38, scale),
        (Value::Text(text), _) => ScalarValue::Utf8(Some(text)),
        (Value::Bytes(bytes), _) => ScalarValue::Binary(Some(bytes)),
        (Value::Date(days), _) => ScalarValue::Date32(Some(days)),
        (Value::Time(us), _) => ScalarValue::Time64Microsecond(Some(us)),
        (Value::Timestamp(us, zone), _) => ScalarValue::TimestampMicrosecond(Some(us), zone.then(|| "UTC".into())),
        (Value::Interval(months, days, micros), _) => {
            let nanoseconds = micros.saturating_mul(1_000);
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months, days, nanoseconds }))
        }
        (Value::List(items), ty) => {
            let element = element_type(ty);
            let items: Vec<_> = items.into_iter().map(|item| scalar(item, &element)).collect::<Result<_>>()?;
            return Ok(ScalarValue::List(ScalarValue::new_list(&items, &element, true)));
        }
    };
    if found.data_type() == *ty { Ok(found) } else { found.cast_to(ty) }
}

/// Half away from zero, as PostgreSQL rounds numerics.
pub(crate) fn rescale(value: i128, from: i32, to: i32) -> i128 {
    if to >= from {
        return value.saturating_mul(10i128.saturating_pow((to - from) as u32));
    }
    let factor = 10i128.saturating_pow((from - to) as u32);
    let half = factor / 2;
    if value < 0 { (value - half) / factor } else { (value + half) / factor }
}

/// The type of a function's result.
#[derive(Clone)]
pub(crate) enum Returns {
    Type(DataType),
    /// With PostgreSQL's name of the type.
    Named(DataType, &'static str),
    Like(usize),
    /// The same with what its metadata says.
    LikeField(usize),
    Of(fn(&[DataType]) -> DataType),
}

impl Returns {
    pub(crate) const TEXT: Returns = Returns::Type(DataType::Utf8);
    pub(crate) const BOOL: Returns = Returns::Type(DataType::Boolean);
    pub(crate) const INT: Returns = Returns::Type(DataType::Int32);
    pub(crate) const BIGINT: Returns = Returns::Type(DataType::Int64);
    pub(crate) const FLOAT: Returns = Returns::Type(DataType::Float64);

    fn field(&self, name: &str, fields: &[FieldRef]) -> Field {
        let args: Vec<_> = fields.iter().map(|f| f.data_type().clone()).collect();
        match self {
            Returns::LikeField(i) => match fields.get(*i) {
                Some(field) => field.as_ref().clone().with_name(name).with_nullable(true),
                None => Field::new(name, DataType::Utf8, true),
            },
            Returns::Type(ty) => Field::new(name, ty.clone(), true),
            Returns::Named(ty, pg) => {
                Field::new(name, ty.clone(), true).with_metadata([(PG_TYPE.to_string(), (*pg).to_string())].into())
            }
            Returns::Like(i) => Field::new(name, args.get(*i).cloned().unwrap_or(DataType::Utf8), true),
            Returns::Of(of) => Field::new(name, of(&args), true),
        }
    }
}

pub(crate) type Call = dyn Fn(&[Value]) -> Result<Value> + Send + Sync;

/// A scalar function. Two of one name are the same function.
pub(crate) struct RowFunction {
    name: &'static str,
    signature: Signature,
    returns: Returns,
    /// A NULL argument gives NULL.
    strict: bool,
    call: Arc<Call>,
}

impl fmt::Debug for RowFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for RowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for RowFunction {}

impl Hash for RowFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

pub(crate) fn strict(
    name: &'static str,
    returns: Returns,
    call: impl Fn(&[Value]) -> Result<Value> + Send + Sync + 'static,
) -> ScalarUDF {
    make(name, returns, true, Volatility::Immutable, Arc::new(call))
}

pub(crate) fn lenient(
    name: &'static str,
    returns: Returns,
    call: impl Fn(&[Value]) -> Result<Value> + Send + Sync + 'static,
) -> ScalarUDF {
    make(name, returns, false, Volatility::Immutable, Arc::new(call))
}

fn make(name: &'static str, returns: Returns, strict: bool, volatility: Volatility, call: Arc<Call>) -> ScalarUDF {
    let signature = Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], volatility);
    ScalarUDF::new_from_impl(RowFunction { name, signature, returns, strict, call })
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        let fields: Vec<FieldRef> = args.iter().map(|ty| Arc::new(Field::new("", ty.clone(), true))).collect();
        Ok(self.returns.field(self.name, &fields).data_type().clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(self.returns.field(self.name, args.arg_fields)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ty = args.return_field.data_type();
        let one = |values: &[Value]| -> Result<ScalarValue> {
            let null = self.strict && values.contains(&Value::Null);
            scalar(if null { Value::Null } else { (self.call)(values)? }, ty)
        };
        let constants: Option<Vec<&ScalarValue>> = args
            .args
            .iter()
            .map(|a| match a {
                ColumnarValue::Scalar(s) => Some(s),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        if let Some(constants) = constants {
            let values: Vec<_> = constants.into_iter().map(value).collect::<Result<_>>()?;
            return Ok(ColumnarValue::Scalar(one(&values)?));
        }
        let arrays = args.args.iter().map(|a| a.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        if args.number_rows == 0 {
            return Ok(ColumnarValue::Array(datafusion::arrow::array::new_empty_array(ty)));
        }
        let mut out = Vec::with_capacity(args.number_rows);
        let mut values = Vec::with_capacity(arrays.len());
        for row in 0..args.number_rows {
            values.clear();
            for array in &arrays {
                values.push(value(&ScalarValue::try_from_array(array, row)?)?);
            }
            out.push(one(&values)?);
        }
        Ok(ColumnarValue::Array(ScalarValue::iter_to_array(out)?))
    }
}

/// An error of a function, with its SQLSTATE.
pub(crate) fn wrong(code: arus_core::error::Code, message: impl Into<String>) -> DataFusionError {
    DataFusionError::External(Box::new(arus_core::Error::user(message.into()).with_code(code)))
}
