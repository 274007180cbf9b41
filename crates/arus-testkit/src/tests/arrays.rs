//! Between the interpreter's values and Arrow's arrays.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::concat;
use arus_core::{ChangeBatch, Datum, LogicalType, RowSchema, TypeKind};
use arus_expr::{array_to_datum, datum_to_array};

use crate::reference::{Change, Value};

fn datum(value: &Value, kind: &TypeKind) -> Datum {
    match (value, kind) {
        (Value::Null, _) => Datum::Null,
        (Value::Boolean(v), _) => Datum::Boolean(*v),
        (Value::Integer(v), TypeKind::TinyInt) => Datum::TinyInt((*v).try_into().expect("a TINYINT")),
        (Value::Integer(v), TypeKind::SmallInt) => Datum::SmallInt((*v).try_into().expect("a SMALLINT")),
        (Value::Integer(v), TypeKind::Int) => Datum::Int((*v).try_into().expect("an INT")),
        (Value::Integer(v), _) => Datum::BigInt(*v),
        (Value::Decimal(v), _) => Datum::Decimal(*v),
        (Value::Double(v), _) => Datum::Double(*v),
        (Value::Float(v), _) => Datum::Float(*v),
        (Value::String(v), _) => Datum::String(v.clone()),
        (Value::Timestamp(v), _) => Datum::Timestamp(*v),
        (other, kind) => panic!("{other} as {kind}"),
    }
}

pub(super) fn array(values: &[&Value], ty: &LogicalType) -> ArrayRef {
    if values.is_empty() {
        return arrow::array::new_empty_array(&ty.to_arrow());
    }
    let rows: Vec<ArrayRef> =
        values.iter().map(|v| datum_to_array(&datum(v, &ty.kind), ty).expect("an array of the type")).collect();
    let rows: Vec<&dyn Array> = rows.iter().map(|a| a.as_ref()).collect();
    concat(&rows).expect("arrays of one type")
}

/// Rows of a batch as changes.
pub(super) fn changes(batch: &ChangeBatch, schema: &RowSchema) -> Vec<Change> {
    let rows: &RecordBatch = batch.rows();
    (0..rows.num_rows())
        .map(|row| {
            let value = |(column, ty): (&ArrayRef, &LogicalType)| -> Value {
                Value::from(&array_to_datum(column, row, ty).expect("a value of the type"))
            };
            Change { kind: batch.kind(row), values: rows.columns().iter().zip(schema.types()).map(value).collect() }
        })
        .collect()
}
