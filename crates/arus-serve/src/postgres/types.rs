//! PostgreSQL's types of Arrow's fields, and Arrow's types of the parameters that clients declare.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, TimeUnit};
use arus_core::platform::{PG_MODIFIER, PG_TYPE};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldFormat, FieldInfo};

use crate::json;

/// Scalars with their arrays.
const ARRAYS: &[(Type, Type)] = &[
    (Type::BOOL, Type::BOOL_ARRAY),
    (Type::INT2, Type::INT2_ARRAY),
    (Type::INT4, Type::INT4_ARRAY),
    (Type::INT8, Type::INT8_ARRAY),
    (Type::FLOAT4, Type::FLOAT4_ARRAY),
    (Type::FLOAT8, Type::FLOAT8_ARRAY),
    (Type::NUMERIC, Type::NUMERIC_ARRAY),
    (Type::TEXT, Type::TEXT_ARRAY),
    (Type::VARCHAR, Type::VARCHAR_ARRAY),
    (Type::BPCHAR, Type::BPCHAR_ARRAY),
    (Type::NAME, Type::NAME_ARRAY),
    (Type::CHAR, Type::CHAR_ARRAY),
    (Type::BYTEA, Type::BYTEA_ARRAY),
    (Type::DATE, Type::DATE_ARRAY),
    (Type::TIME, Type::TIME_ARRAY),
    (Type::TIMESTAMP, Type::TIMESTAMP_ARRAY),
    (Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
    (Type::INTERVAL, Type::INTERVAL_ARRAY),
    (Type::OID, Type::OID_ARRAY),
    (Type::UUID, Type::UUID_ARRAY),
    (Type::JSON, Type::JSON_ARRAY),
    (Type::JSONB, Type::JSONB_ARRAY),
    (Type::REGTYPE, Type::REGTYPE_ARRAY),
    (Type::INT2, Type::INT2_VECTOR),
    (Type::OID, Type::OID_VECTOR),
];

/// Types that a field's metadata may name.
const NAMED: &[Type] = &[
    Type::OID,
    Type::NAME,
    Type::CHAR,
    Type::JSON,
    Type::JSONB,
    Type::UUID,
    Type::BPCHAR,
    Type::VARCHAR,
    Type::REGCLASS,
    Type::REGTYPE,
    Type::REGPROC,
    Type::REGNAMESPACE,
    Type::REGROLE,
    Type::XID,
    Type::INT2_VECTOR,
    Type::OID_VECTOR,
    Type::NAME_ARRAY,
    Type::CHAR_ARRAY,
    Type::OID_ARRAY,
];

pub(super) fn element_of(ty: &Type) -> Type {
    ARRAYS.iter().find(|(_, array)| array == ty).map_or(Type::TEXT, |(element, _)| element.clone())
}

fn array_of(ty: &Type) -> Type {
    ARRAYS.iter().find(|(element, _)| element == ty).map_or(Type::TEXT_ARRAY, |(_, array)| array.clone())
}

/// Nested columns are jsonb: its text and its bytes are JSON.
pub(super) fn of_field(field: &Field) -> Type {
    let metadata = field.metadata();
    // Tables of pg_catalog that never change tell it in another way.
    let alias = metadata.get("pg.oid_alias").filter(|_| *field.data_type() == DataType::Int32);
    let char = metadata.get("pg.char").map(|_| "char");
    let name = metadata.get(PG_TYPE).or(alias).map(String::as_str).or(char);
    match name.and_then(|name| NAMED.iter().find(|ty| ty.name() == name)) {
        Some(ty) => ty.clone(),
        None => of_arrow(field.data_type()),
    }
}

pub(super) fn of_arrow(ty: &DataType) -> Type {
    if json::is_nested(ty) {
        return Type::JSONB;
    }
    match ty {
        DataType::Boolean => Type::BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Type::INT2,
        DataType::Int32 | DataType::UInt16 => Type::INT4,
        // Counts of the planner's, which fit.
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Type::INT8,
        DataType::Decimal128(..) => Type::NUMERIC,
        DataType::Float16 | DataType::Float32 => Type::FLOAT4,
        DataType::Float64 => Type::FLOAT8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Type::BYTEA,
        DataType::Date32 | DataType::Date64 => Type::DATE,
        DataType::Time32(_) | DataType::Time64(_) => Type::TIME,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => Type::INTERVAL,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            array_of(&of_field(item))
        }
        _ => Type::TEXT,
    }
}

/// What a client declares as a parameter's type; `None`: the statement decides, as it does for a literal in quotes.
pub(super) fn to_arrow(ty: &Type, text: Option<&str>) -> Option<DataType> {
    let micros = TimeUnit::Microsecond;
    Some(match *ty {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 | Type::OID => DataType::Int32,
        Type::INT8 => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => {
            let fraction = text.and_then(|t| t.split_once('.')).map_or(0, |(_, f)| f.len().min(30));
            DataType::Decimal128(38, fraction as i8)
        }
        Type::BYTEA => DataType::Binary,
        Type::DATE => DataType::Date32,
        Type::TIME => DataType::Time64(micros),
        Type::TIMESTAMP => DataType::Timestamp(micros, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(micros, Some("UTC".into())),
        Type::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => {
            let (element, _) = ARRAYS.iter().find(|(_, array)| array == ty)?;
            let item = to_arrow(element, text).unwrap_or(DataType::Utf8);
            DataType::List(Arc::new(Field::new_list_field(item, true)))
        }
    })
}

/// The columns as Postgres describes them.
pub(super) fn describe(schema: &Schema, format: &Format) -> Vec<FieldInfo> {
    let columns = schema.fields().iter().enumerate();
    columns.map(|(i, field)| column(field, format_for(format, i))).collect()
}

/// A client that names fewer formats than there are columns gets text for the rest.
fn format_for(format: &Format, column: usize) -> FieldFormat {
    match format {
        Format::Individual(codes) => codes.get(column).map_or(FieldFormat::Text, |code| FieldFormat::from(*code)),
        unified => unified.format_for(column),
    }
}

fn column(field: &Field, format: FieldFormat) -> FieldInfo {
    let ty = of_field(field);
    let modifier = field.metadata().get(PG_MODIFIER).and_then(|m| m.parse().ok()).unwrap_or(-1);
    let info = FieldInfo::new(field.name().clone(), None, None, ty.clone(), format);
    info.with_type_size(size_of(&ty)).with_type_modifier(modifier)
}

fn size_of(ty: &Type) -> i16 {
    match *ty {
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID | Type::REGCLASS | Type::REGTYPE | Type::REGPROC => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => 8,
        Type::INTERVAL | Type::UUID => 16,
        Type::NAME => 64,
        _ => -1,
    }
}
