//! MAP_ functions. Of equal keys the last entry's value counts, at the place of the first.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, FieldRef};
use arrow::row::{RowConverter, Rows, SortField};
use arus_core::change::arrow_bug;
use arus_core::function::Argument;
use arus_core::types::{MAP_KEY, MAP_VALUE, RowField};
use arus_core::{Error, LogicalType, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, any_nullable, coerced, fallible, safe};
use crate::typing::common_type;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["MAP_KEYS"], "MAP_KEYS(<MAP>)", |args| resolve_part(args, true), |call| compile_part(call, 0)),
    Function::new(&["MAP_VALUES"], "MAP_VALUES(<MAP>)", |args| resolve_part(args, false), |call| compile_part(call, 1)),
    Function::new(&["MAP_ENTRIES"], "MAP_ENTRIES(<MAP>)", resolve_entries, |_| {
        // A map is a list of its entries already.
        safe(|args, _| Ok(args[0].array().clone()))
    }),
    Function::new(&["MAP_UNION"], "MAP_UNION(<MAP>, ..)", resolve_union, compile_union),
    Function::new(&["MAP_FROM_ARRAYS"], "MAP_FROM_ARRAYS(<ARRAY>, <ARRAY>)", resolve_from_arrays, compile_from_arrays),
];

fn parts(ty: &LogicalType) -> Option<(&LogicalType, &LogicalType)> {
    match &ty.kind {
        TypeKind::Map(key, value) => Some((key, value)),
        _ => None,
    }
}

fn one_map(args: &[Argument], result: TypeKind) -> Option<Call> {
    let [map] = args else { return None };
    Some(Call { return_type: result.not_null().with_nullable(map.ty.nullable), arg_types: vec![map.ty.clone()] })
}

fn resolve_part(args: &[Argument], key: bool) -> Option<Call> {
    let (keys, values) = parts(&args.first()?.ty)?;
    let element = if key { keys } else { values };
    one_map(args, TypeKind::Array(Box::new(element.clone())))
}

fn resolve_entries(args: &[Argument]) -> Option<Call> {
    let (key, value) = parts(&args.first()?.ty)?;
    let field = |name: &str, ty: &LogicalType| RowField { name: name.to_owned(), ty: ty.clone(), comment: None };
    let row = TypeKind::Row(vec![field(MAP_KEY, key), field(MAP_VALUE, value)]);
    // An entry is never NULL itself.
    one_map(args, TypeKind::Array(Box::new(row.nullable())))
}

fn resolve_union(args: &[Argument]) -> Option<Call> {
    let types: Vec<LogicalType> = args.iter().map(|a| parts(&a.ty).map(|_| a.ty.clone())).collect::<Option<_>>()?;
    let common = common_type(&types)?.kind;
    coerced(args, vec![common.clone(); args.len()], common)
}

fn resolve_from_arrays(args: &[Argument]) -> Option<Call> {
    let [keys, values] = args else { return None };
    let (TypeKind::Array(key), TypeKind::Array(value)) = (&keys.ty.kind, &values.ty.kind) else { return None };
    let arg_types = args.iter().map(|a| a.ty.clone()).collect();
    let map = TypeKind::Map(key.clone(), value.clone());
    Some(Call { arg_types, return_type: map.not_null().with_nullable(any_nullable(args)) })
}

fn as_list(array: &ArrayRef) -> Result<&ListArray> {
    array.as_list_opt::<i32>().ok_or_else(|| Error::bug(format!("a list is expected, not {}", array.data_type())))
}

fn entries_of(lists: &ListArray) -> Result<&StructArray> {
    lists.values().as_struct_opt().ok_or_else(|| Error::bug("a map is a list of entries"))
}

/// The keys or the values, under the same offsets.
fn compile_part(call: &CompileCall<'_>, column: usize) -> Result<Compiled> {
    let DataType::List(field) = call.ty.to_arrow() else { return Err(call.bug()) };
    safe(move |args, _| {
        let maps = as_list(args[0].array())?;
        let values = entries_of(maps)?.column(column).clone();
        let list = ListArray::try_new(field.clone(), maps.offsets().clone(), values, maps.nulls().cloned());
        Ok(Arc::new(list.map_err(arrow_bug)?))
    })
}

/// Where the entries of a row stand; `None` when it is NULL.
fn range(lists: &ListArray, value: &Value, row: usize) -> Option<std::ops::Range<usize>> {
    let row = if value.is_scalar() { 0 } else { row };
    let offsets = lists.value_offsets();
    lists.is_valid(row).then(|| offsets[row] as usize..offsets[row + 1] as usize)
}

/// Entries picked from several arrays of keys and of values.
struct Builder<'a> {
    keys: Vec<&'a ArrayRef>,
    values: Vec<&'a ArrayRef>,
    /// The keys as bytes that are equal when they are.
    rows: Vec<Rows>,
    key_order: Vec<(usize, usize)>,
    value_order: Vec<(usize, usize)>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl<'a> Builder<'a> {
    fn new(keys: Vec<&'a ArrayRef>, values: Vec<&'a ArrayRef>) -> Result<Self> {
        let ty = keys.first().ok_or_else(|| Error::bug("a map of no keys"))?.data_type().clone();
        let converter = RowConverter::new(vec![SortField::new(ty)]).map_err(arrow_bug)?;
        let rows = keys.iter().map(|keys| converter.convert_columns(&[(*keys).clone()]).map_err(arrow_bug));
        let rows = rows.collect::<Result<_>>()?;
        let (key_order, value_order, lengths, valid) = Default::default();
        Ok(Builder { keys, values, rows, key_order, value_order, lengths, valid })
    }

    /// A row: where each key stands and where its value does; `None` is NULL.
    fn push(&mut self, entries: Option<impl Iterator<Item = ((usize, usize), (usize, usize))>>) {
        let start = self.key_order.len();
        self.valid.push(entries.is_some());
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        for (key, value) in entries.into_iter().flatten() {
            let next = self.value_order.len();
            match *places.entry(self.rows[key.0].row(key.1).data()).or_insert(next) {
                place if place < next => self.value_order[place] = value,
                _ => {
                    self.key_order.push(key);
                    self.value_order.push(value);
                }
            }
        }
        self.lengths.push(self.key_order.len() - start);
    }

    fn finish(self, field: &FieldRef) -> Result<ArrayRef> {
        let DataType::Struct(fields) = field.data_type() else { return Err(Error::bug("a map has entries")) };
        let woven = |arrays: &[&ArrayRef], order: &[(usize, usize)]| {
            let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
            interleave(&arrays, order).map_err(arrow_bug)
        };
        let columns = vec![woven(&self.keys, &self.key_order)?, woven(&self.values, &self.value_order)?];
        let entries = StructArray::try_new_with_length(fields.clone(), columns, None, self.key_order.len());
        let nulls = Some(NullBuffer::from(self.valid)).filter(|nulls| nulls.null_count() > 0);
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        let maps = ListArray::try_new(field.clone(), offsets, Arc::new(entries.map_err(arrow_bug)?), nulls);
        Ok(Arc::new(maps.map_err(arrow_bug)?))
    }
}

fn compile_union(call: &CompileCall<'_>) -> Result<Compiled> {
    let DataType::List(field) = call.ty.to_arrow() else { return Err(call.bug()) };
    safe(move |args, cx| {
        let maps = args.iter().map(|arg| as_list(arg.array())).collect::<Result<Vec<_>>>()?;
        let entries = maps.iter().map(|maps| entries_of(maps)).collect::<Result<Vec<_>>>()?;
        let column = |i: usize| entries.iter().map(|e| e.column(i)).collect();
        let mut builder = Builder::new(column(0), column(1))?;
        for row in 0..cx.rows {
            let ranges: Option<Vec<_>> = maps.iter().zip(args).map(|(maps, arg)| range(maps, arg, row)).collect();
            let places = |ranges: Vec<std::ops::Range<usize>>| {
                ranges.into_iter().enumerate().flat_map(|(map, range)| range.map(move |at| ((map, at), (map, at))))
            };
            builder.push(ranges.map(places));
        }
        builder.finish(&field)
    })
}

fn compile_from_arrays(call: &CompileCall<'_>) -> Result<Compiled> {
    let DataType::List(field) = call.ty.to_arrow() else { return Err(call.bug()) };
    fallible(move |args, cx| {
        let (keys, values) = (as_list(args[0].array())?, as_list(args[1].array())?);
        let mut builder = Builder::new(vec![keys.values()], vec![values.values()])?;
        for row in 0..cx.rows {
            let ranges = range(keys, &args[0], row).zip(range(values, &args[1], row));
            let ranges = match ranges {
                Some((k, v)) if k.len() != v.len() => {
                    let (k, v) = (k.len(), v.len());
                    cx.fail(row, format!("MAP_FROM_ARRAYS of {k} keys and {v} values"));
                    None
                }
                ranges => ranges,
            };
            builder.push(ranges.map(|(k, v)| k.zip(v).map(|(k, v)| ((0, k), (0, v)))));
        }
        builder.finish(&field)
    })
}
