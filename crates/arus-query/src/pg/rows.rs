//! Tables of a few rows, written as cells.

use std::sync::Arc;

use arus_core::platform::PG_TYPE;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;

use crate::function::{Value, scalar};

/// A table's name, its columns (`name:type`, parted by blanks) and its rows.
pub(crate) struct Spec<R> {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static str,
    pub(crate) rows: R,
}

pub(crate) fn schema(columns: &str) -> SchemaRef {
    let field = |column: &str| {
        let (name, ty) = column.split_once(':').unwrap_or((column, "text"));
        let (arrow, pg) = arrow_type(ty);
        let field = Field::new(name, arrow, true);
        match pg {
            Some(pg) => field.with_metadata([(PG_TYPE.to_string(), pg.to_string())].into()),
            None => field,
        }
    };
    Arc::new(Schema::new(columns.split_whitespace().map(field).collect::<Vec<_>>()))
}

fn list(item: DataType, pg: Option<&str>) -> DataType {
    let field = Field::new_list_field(item, true);
    let field = match pg {
        Some(pg) => field.with_metadata([(PG_TYPE.to_string(), pg.to_string())].into()),
        None => field,
    };
    DataType::List(Arc::new(field))
}

fn arrow_type(ty: &str) -> (DataType, Option<&'static str>) {
    match ty {
        "oid" => (DataType::Int32, Some("oid")),
        "xid" => (DataType::Int32, Some("xid")),
        "name" => (DataType::Utf8, Some("name")),
        "char" => (DataType::Utf8, Some("char")),
        "bool" => (DataType::Boolean, None),
        "int2" => (DataType::Int16, None),
        "int4" => (DataType::Int32, None),
        "int8" => (DataType::Int64, None),
        "float4" => (DataType::Float32, None),
        "float8" => (DataType::Float64, None),
        "timestamptz" => (crate::function::timestamptz(), None),
        "int2vector" => (list(DataType::Int16, None), Some("int2vector")),
        "oidvector" => (list(DataType::Int32, None), Some("oidvector")),
        "int2[]" => (list(DataType::Int16, None), None),
        "oid[]" => (list(DataType::Int32, Some("oid")), None),
        "char[]" => (list(DataType::Utf8, Some("char")), None),
        "text[]" => (list(DataType::Utf8, None), None),
        _ => (DataType::Utf8, None),
    }
}

/// Missing cells at a row's end are NULL.
pub(crate) fn batch(schema: &SchemaRef, rows: Vec<Vec<Value>>) -> Result<RecordBatch> {
    if rows.is_empty() {
        return Ok(RecordBatch::new_empty(schema.clone()));
    }
    let column = |(i, field): (usize, &Arc<Field>)| {
        let cells = rows.iter().map(|row| {
            let cell = row.get(i).cloned().unwrap_or(Value::Null);
            match (cell, field.data_type()) {
                (Value::List(items), DataType::List(item)) => {
                    let items = items.into_iter().map(|v| scalar(v, item.data_type())).collect::<Result<Vec<_>>>()?;
                    let array = if items.is_empty() {
                        datafusion::arrow::array::new_empty_array(item.data_type())
                    } else {
                        ScalarValue::iter_to_array(items)?
                    };
                    let builder = datafusion::common::utils::SingleRowListArrayBuilder::new(array);
                    Ok(builder.with_field(item).build_list_scalar())
                }
                (cell, ty) => scalar(cell, ty),
            }
        });
        ScalarValue::iter_to_array(cells.collect::<Result<Vec<_>>>()?)
    };
    let columns = schema.fields().iter().enumerate().map(column).collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// Cells of a row.
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$(Value::from($cell)),*] };
}
pub(crate) use row;

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl From<i32> for Value {
    fn from(i: i32) -> Self {
        Value::Int(i.into())
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Value::Int(i)
    }
}

impl From<char> for Value {
    fn from(c: char) -> Self {
        Value::Text(c.to_string())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::Text(text.clone())
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Value::List(items)
    }
}

/// NULL.
pub(crate) const NONE: Option<&str> = None;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_columns() {
        let schema = schema("oid:oid name:name key:int2vector note:text");
        let rows = vec![row![1, "a", vec![Value::Int(1), Value::Int(2)]], row![2, "b", vec![]]];
        let batch = batch(&schema, rows).expect("cells of the columns");
        assert_eq!((batch.num_rows(), batch.column(3).null_count()), (2, 2));
    }
}
