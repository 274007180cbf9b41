//! What flows between kernels: a column or one value for all rows, typed views on it, and the rows that failed.
//!
//! A kernel gets its arguments as [`Value`]s and gives an array of [`Cx::rows`] rows. A row that it calls [`Cx::fail`]
//! for is NULL in what it gives. Views read a scalar at every row (their stride is 0), so that one loop serves both.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Datum, PrimitiveArray, StringViewArray, StringViewBuilder,
    UInt32Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use arus_core::change::arrow_bug;
use arus_core::{Error, Result};

use crate::program::EvalContext;

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Array(ArrayRef),
    /// An array of one row that stands for all rows.
    Scalar(ArrayRef),
}

impl Value {
    pub(crate) fn array(&self) -> &ArrayRef {
        match self {
            Value::Array(array) | Value::Scalar(array) => array,
        }
    }

    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self, Value::Scalar(_))
    }

    pub(crate) fn into_array(self, rows: usize) -> Result<ArrayRef> {
        match self {
            Value::Array(array) => Ok(array),
            Value::Scalar(array) if rows == 1 => Ok(array),
            Value::Scalar(array) => {
                take(&array, &UInt32Array::new(vec![0; rows].into(), None), None).map_err(arrow_bug)
            }
        }
    }

    fn stride(&self) -> usize {
        usize::from(!self.is_scalar())
    }
}

impl Datum for Value {
    fn get(&self) -> (&dyn Array, bool) {
        (self.array().as_ref(), self.is_scalar())
    }
}

/// A row that failed, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRow {
    pub row: u32,
    pub reason: String,
}

/// What a kernel may know of the run.
pub(crate) struct Cx<'a> {
    pub(crate) rows: usize,
    pub(crate) eval: &'a EvalContext,
    pub(crate) failed: &'a mut Vec<FailedRow>,
}

impl Cx<'_> {
    pub(crate) fn fail(&mut self, row: usize, reason: impl Into<String>) {
        self.failed.push(FailedRow { row: row as u32, reason: reason.into() });
    }
}

/// The code of a function for fixed argument types.
pub(crate) type Kernel = Box<dyn Fn(&[Value], &mut Cx<'_>) -> Result<ArrayRef> + Send + Sync>;

// ---- views ---------------------------------------------------------------------------------------------

fn wrong_type(expected: &str, array: &ArrayRef) -> Error {
    Error::bug(format!("a kernel expected {expected} and got {}", array.data_type()))
}

pub(crate) struct Numbers<'a, T: ArrowPrimitiveType> {
    values: &'a [T::Native],
    nulls: Option<&'a NullBuffer>,
    stride: usize,
    marker: PhantomData<T>,
}

impl<'a, T: ArrowPrimitiveType> Numbers<'a, T> {
    pub(crate) fn of(value: &'a Value) -> Result<Self> {
        let array = value
            .array()
            .as_primitive_opt::<T>()
            .ok_or_else(|| wrong_type(&T::DATA_TYPE.to_string(), value.array()))?;
        Ok(Numbers { values: array.values(), nulls: array.nulls(), stride: value.stride(), marker: PhantomData })
    }

    pub(crate) fn get(&self, row: usize) -> Option<T::Native> {
        let at = row * self.stride;
        match self.nulls {
            Some(nulls) if nulls.is_null(at) => None,
            _ => Some(self.values[at]),
        }
    }

    /// The value, whatever it is where the row is NULL.
    pub(crate) fn raw(&self, row: usize) -> T::Native {
        self.values[row * self.stride]
    }
}

/// A view on anything held in 64 bits: BIGINT, TIMESTAMP of any unit.
pub(crate) struct Longs<'a> {
    values: &'a [i64],
    nulls: Option<&'a NullBuffer>,
    stride: usize,
}

impl<'a> Longs<'a> {
    pub(crate) fn of(value: &'a Value) -> Result<Self> {
        let array = value.array();
        let values: &[i64] = match array.data_type() {
            DataType::Int64 => array.as_primitive::<Int64Type>().values(),
            DataType::Timestamp(TimeUnit::Millisecond, _) => array.as_primitive::<TimestampMillisecondType>().values(),
            DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().values(),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => array.as_primitive::<TimestampNanosecondType>().values(),
            _ => return Err(wrong_type("64-bit integers", array)),
        };
        Ok(Longs { values, nulls: array.nulls(), stride: value.stride() })
    }

    pub(crate) fn get(&self, row: usize) -> Option<i64> {
        let at = row * self.stride;
        match self.nulls {
            Some(nulls) if nulls.is_null(at) => None,
            _ => Some(self.values[at]),
        }
    }

    /// All values, whatever they are where the row is NULL, and the NULLs.
    pub(crate) fn whole(&self) -> (&'a [i64], Option<&'a NullBuffer>) {
        (self.values, self.nulls)
    }
}

pub(crate) struct Strings<'a> {
    array: &'a StringViewArray,
    stride: usize,
}

impl<'a> Strings<'a> {
    pub(crate) fn of(value: &'a Value) -> Result<Self> {
        let array = value.array().as_string_view_opt().ok_or_else(|| wrong_type("Utf8View", value.array()))?;
        Ok(Strings { array, stride: value.stride() })
    }

    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        let at = row * self.stride;
        (!self.array.is_null(at)).then(|| self.array.value(at))
    }
}

pub(crate) struct Bytes<'a> {
    array: &'a BinaryViewArray,
    stride: usize,
}

impl<'a> Bytes<'a> {
    pub(crate) fn of(value: &'a Value) -> Result<Self> {
        let array = value.array().as_binary_view_opt().ok_or_else(|| wrong_type("BinaryView", value.array()))?;
        Ok(Bytes { array, stride: value.stride() })
    }

    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        let at = row * self.stride;
        (!self.array.is_null(at)).then(|| self.array.value(at))
    }
}

pub(crate) struct Booleans<'a> {
    array: &'a BooleanArray,
    stride: usize,
}

impl<'a> Booleans<'a> {
    pub(crate) fn of(value: &'a Value) -> Result<Self> {
        let array = value.array().as_boolean_opt().ok_or_else(|| wrong_type("Boolean", value.array()))?;
        Ok(Booleans { array, stride: value.stride() })
    }

    pub(crate) fn get(&self, row: usize) -> Option<bool> {
        let at = row * self.stride;
        (!self.array.is_null(at)).then(|| self.array.value(at))
    }
}

// ---- results -------------------------------------------------------------------------------------------

/// The rows at which no argument is NULL; `None`: all.
pub(crate) fn union_nulls(args: &[Value], rows: usize) -> Option<NullBuffer> {
    let mut all: Option<NullBuffer> = None;
    for arg in args {
        let array = arg.array();
        if array.null_count() == 0 && array.data_type() != &DataType::Null {
            continue;
        }
        if arg.is_scalar() || array.data_type() == &DataType::Null {
            return Some(NullBuffer::new_null(rows));
        }
        all = NullBuffer::union(all.as_ref(), array.nulls());
    }
    all
}

/// A number a row, NULL where `f` gives `None`.
pub(crate) fn numbers<T: ArrowPrimitiveType>(
    rows: usize,
    ty: &DataType,
    mut f: impl FnMut(usize) -> Option<T::Native>,
) -> ArrayRef {
    let mut values = Vec::with_capacity(rows);
    let valid = BooleanBuffer::collect_bool(rows, |row| {
        let value = f(row);
        values.push(value.unwrap_or_default());
        value.is_some()
    });
    Arc::new(PrimitiveArray::<T>::new(values.into(), some_nulls(valid)).with_data_type(ty.clone()))
}

/// A number from two without a branch for NULL: `f` is called with whatever stands there.
pub(crate) fn binary_numbers<A, B, T>(
    args: &[Value],
    rows: usize,
    ty: &DataType,
    f: impl Fn(A::Native, B::Native) -> T::Native,
) -> Result<ArrayRef>
where
    A: ArrowPrimitiveType,
    B: ArrowPrimitiveType,
    T: ArrowPrimitiveType,
{
    let (a, b) = (Numbers::<A>::of(&args[0])?, Numbers::<B>::of(&args[1])?);
    let values: Vec<T::Native> = match (args[0].is_scalar(), args[1].is_scalar()) {
        (false, false) => a.values.iter().zip(b.values).map(|(a, b)| f(*a, *b)).collect(),
        (false, true) => a.values.iter().map(|a| f(*a, b.values[0])).collect(),
        (true, false) => b.values.iter().map(|b| f(a.values[0], *b)).collect(),
        (true, true) => vec![f(a.values[0], b.values[0])],
    };
    let nulls = union_nulls(args, rows);
    Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(ty.clone())))
}

/// A number from one, without a branch for NULL.
pub(crate) fn unary_numbers<A, T>(arg: &Value, ty: &DataType, f: impl Fn(A::Native) -> T::Native) -> Result<ArrayRef>
where
    A: ArrowPrimitiveType,
    T: ArrowPrimitiveType,
{
    let array = arg.array();
    let a = Numbers::<A>::of(arg)?;
    let values: Vec<T::Native> = a.values.iter().map(|a| f(*a)).collect();
    Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), array.nulls().cloned()).with_data_type(ty.clone())))
}

fn some_nulls(valid: BooleanBuffer) -> Option<NullBuffer> {
    Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0)
}

/// 64-bit values as BIGINT or a TIMESTAMP of any unit.
pub(crate) fn longs(rows: usize, ty: &DataType, mut f: impl FnMut(usize) -> Option<i64>) -> Result<ArrayRef> {
    let mut values = Vec::with_capacity(rows);
    let valid = BooleanBuffer::collect_bool(rows, |row| {
        let value = f(row);
        values.push(value.unwrap_or_default());
        value.is_some()
    });
    long_array(values.into(), some_nulls(valid), ty)
}

pub(crate) fn long_array(values: ScalarBuffer<i64>, nulls: Option<NullBuffer>, ty: &DataType) -> Result<ArrayRef> {
    fn array<T: ArrowPrimitiveType<Native = i64>>(
        values: ScalarBuffer<i64>,
        nulls: Option<NullBuffer>,
        ty: &DataType,
    ) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(ty.clone()))
    }
    match ty {
        DataType::Int64 => Ok(array::<Int64Type>(values, nulls, ty)),
        DataType::Timestamp(TimeUnit::Millisecond, _) => Ok(array::<TimestampMillisecondType>(values, nulls, ty)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(array::<TimestampMicrosecondType>(values, nulls, ty)),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Ok(array::<TimestampNanosecondType>(values, nulls, ty)),
        _ => Err(Error::bug(format!("{ty} is not held in 64 bits"))),
    }
}

pub(crate) fn booleans(rows: usize, mut f: impl FnMut(usize) -> Option<bool>) -> ArrayRef {
    let mut values = Vec::with_capacity(rows);
    let valid = BooleanBuffer::collect_bool(rows, |row| {
        let value = f(row);
        values.push(value.unwrap_or(false));
        value.is_some()
    });
    Arc::new(BooleanArray::new(values.into(), some_nulls(valid)))
}

/// A string a row; `f` writes it into the cleared buffer and gives `None` for NULL.
pub(crate) fn strings(rows: usize, mut f: impl FnMut(usize, &mut String) -> Option<()>) -> ArrayRef {
    let mut builder = StringViewBuilder::with_capacity(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        buffer.clear();
        match f(row, &mut buffer) {
            Some(()) => builder.append_value(&buffer),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

/// A part of a string that exists already a row.
pub(crate) fn substrings<'a>(rows: usize, mut f: impl FnMut(usize) -> Option<&'a str>) -> ArrayRef {
    let mut builder = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        builder.append_option(f(row));
    }
    Arc::new(builder.finish())
}
