//! ARRAY, MAP, MULTISET and ROW, part by part.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray};
use arrow::datatypes::DataType;
use arus_core::change::arrow_bug;
use arus_core::text::Zone;
use arus_core::{Error, LogicalType, Result, TypeKind};

use super::cast_kernel;
use crate::functions::{Compiled, fallible, safe};
use crate::value::{Cx, FailedRow, Kernel, Value};

pub(super) fn cast(from: &LogicalType, to: &LogicalType, zone: Zone) -> Result<Option<Compiled>> {
    match (&from.kind, &to.kind) {
        (TypeKind::Array(a), TypeKind::Array(b)) => list(vec![(a.as_ref(), b.as_ref())], to, zone),
        (TypeKind::Multiset(a), TypeKind::Multiset(b)) => {
            let count = TypeKind::Int.not_null();
            list(vec![(a.as_ref(), b.as_ref()), (&count, &count)], to, zone)
        }
        (TypeKind::Map(k, v), TypeKind::Map(l, w)) => {
            list(vec![(k.as_ref(), l.as_ref()), (v.as_ref(), w.as_ref())], to, zone)
        }
        (TypeKind::Row(a), TypeKind::Row(b)) => {
            let parts: Vec<Part> = a.iter().zip(b).map(|(f, g)| part(&f.ty, &g.ty, zone)).collect::<Result<_>>()?;
            let ty = to.to_arrow();
            built(&parts, to == from).map_or(Ok(None), |can_fail| {
                let kernel = move |args: &[Value], cx: &mut Cx<'_>| cast_rows(args[0].array(), &parts, &ty, cx, &[]);
                if can_fail { fallible(kernel) } else { safe(kernel) }.map(Some)
            })
        }
        _ => Err(Error::bug(format!("no cast from {from} to {to}"))),
    }
}

/// The cast of one part; `None`: it stays.
type Part = Option<(Kernel, bool)>;

fn part(from: &LogicalType, to: &LogicalType, zone: Zone) -> Result<Part> {
    Ok(cast_kernel(from, to, zone)?.map(|compiled| (compiled.kernel, compiled.fallible)))
}

/// `None` when nothing is to be done, else whether a part can fail.
fn built(parts: &[Part], same: bool) -> Option<bool> {
    if same { None } else { Some(parts.iter().flatten().any(|(_, fallible)| *fallible)) }
}

fn list(parts: Vec<(&LogicalType, &LogicalType)>, to: &LogicalType, zone: Zone) -> Result<Option<Compiled>> {
    let parts: Vec<Part> = parts.into_iter().map(|(a, b)| part(a, b, zone)).collect::<Result<_>>()?;
    if parts.iter().all(Option::is_none) {
        return Ok(None);
    }
    let ty = to.to_arrow();
    let can_fail = parts.iter().flatten().any(|(_, fallible)| *fallible);
    let kernel = move |args: &[Value], cx: &mut Cx<'_>| {
        let lists = args[0].array().as_list_opt::<i32>().ok_or_else(|| Error::bug("a cast expected lists"))?;
        let DataType::List(field) = &ty else { return Err(Error::bug("a cast to lists gives lists")) };
        // Elements may stand behind the offsets of a slice: only those of these rows are cast.
        let (start, end) = (lists.value_offsets()[0] as usize, lists.value_offsets()[lists.len()] as usize);
        let elements = lists.values().slice(start, end - start);
        let rows: Vec<u32> = (0..lists.len())
            .flat_map(|row| std::iter::repeat_n(row as u32, lists.value_length(row) as usize))
            .collect();
        let elements = match field.data_type() {
            DataType::Struct(_) if parts.len() == 2 => cast_rows(&elements, &parts, field.data_type(), cx, &rows)?,
            _ => cast_part(&elements, &parts[0], cx, &rows)?,
        };
        let offsets = lists.value_offsets().iter().map(|o| o - start as i32).collect::<Vec<_>>();
        let offsets = arrow::buffer::OffsetBuffer::new(offsets.into());
        let array = ListArray::try_new(field.clone(), offsets, elements, lists.nulls().cloned()).map_err(arrow_bug)?;
        Ok(Arc::new(array) as ArrayRef)
    };
    if can_fail { fallible(kernel) } else { safe(kernel) }.map(Some)
}

/// Casts one array; a failure counts for the row (by `rows`) that holds the element.
fn cast_part(array: &ArrayRef, part: &Part, cx: &mut Cx<'_>, rows: &[u32]) -> Result<ArrayRef> {
    let Some((kernel, _)) = part else { return Ok(array.clone()) };
    let mut failed: Vec<FailedRow> = Vec::new();
    let mut inner = Cx { rows: array.len(), eval: cx.eval, failed: &mut failed };
    let result = kernel(&[Value::Array(array.clone())], &mut inner)?;
    for failure in failed {
        let row = rows.get(failure.row as usize).copied().unwrap_or(failure.row);
        cx.fail(row as usize, failure.reason);
    }
    Ok(result)
}

fn cast_rows(array: &ArrayRef, parts: &[Part], ty: &DataType, cx: &mut Cx<'_>, rows: &[u32]) -> Result<ArrayRef> {
    let structs = array.as_struct_opt().ok_or_else(|| Error::bug("a cast expected rows"))?;
    let DataType::Struct(fields) = ty else { return Err(Error::bug("a cast to rows gives rows")) };
    let columns = structs.columns().iter().zip(parts).map(|(column, part)| cast_part(column, part, cx, rows));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let array = StructArray::try_new_with_length(fields.clone(), columns, structs.nulls().cloned(), structs.len());
    Ok(Arc::new(array.map_err(arrow_bug)?))
}
