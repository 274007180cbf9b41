//! Rows that an operator has set aside, as rows of the table that its pipeline scans.
//!
//! That works where the row has every column that the scan reads: nothing but a choice of columns lies between. Anything
//! else is refused by name.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use arus_core::catalog::{ColumnKind, ObjectPath, TableDef};
use arus_core::change::arrow_bug;
use arus_core::expr::Expr;
use arus_core::plan::{NodeId, Op, PhysicalPlan, Scan, Uid};
use arus_core::{Result, RowSchema};

use super::refused;
use crate::jobs::Job;
use crate::shared::INBOX_SUFFIX;

/// The operator in the name of a row: pipeline, uid, epoch, ordinal.
pub(super) fn uid_of(id: &str, pipeline: &str) -> Option<u64> {
    let rest = id.strip_prefix(pipeline)?.strip_prefix('/')?;
    u64::from_str_radix(rest.split('/').next()?, 16).ok()
}

/// Where the columns of a row come from.
struct Shape<'p> {
    scan: &'p Scan,
    schema: RowSchema,
    /// For each column of the row, the table's column.
    columns: Vec<Option<usize>>,
}

/// Whether this row can be made a row of the table again.
pub(super) fn check(job: &Job, table: &ObjectPath, uid: u64, text: &[u8]) -> Result<(), String> {
    shape(&job.spec.plan, table, uid)
        .and_then(|shape| rows_of(&shape, &[text.to_vec()]))
        .map(|_| ())
        .map_err(|e| e.message().to_string())
}

/// Rows of these texts: all physical columns of the table.
pub(super) fn decode(job: &Job, table: &ObjectPath, uid: u64, texts: &[Vec<u8>]) -> Result<RecordBatch> {
    let shape = shape(&job.spec.plan, table, uid)?;
    let rows = rows_of(&shape, texts)?;
    let def: &TableDef = &shape.scan.table;
    let physical = (0..def.columns.len()).filter(|i| matches!(def.columns[*i].kind, ColumnKind::Physical));
    let column = |index: usize| -> ArrayRef {
        match shape.columns.iter().position(|c| *c == Some(index)) {
            Some(at) => rows.column(at).clone(),
            None => new_null_array(&def.columns[index].ty.to_arrow(), rows.num_rows()),
        }
    };
    let nullable: RowSchema = def
        .physical_schema()
        .columns()
        .iter()
        .map(|c| arus_core::Column { name: c.name.clone(), ty: c.ty.kind.clone().nullable() })
        .collect();
    RecordBatch::try_new(nullable.to_arrow(), physical.map(column).collect()).map_err(arrow_bug)
}

fn shape<'p>(plan: &'p PhysicalPlan, table: &ObjectPath, uid: u64) -> Result<Shape<'p>> {
    let earlier = "an earlier pipeline of this name has set it aside, this one reads the source by itself";
    let node = plan.nodes.iter().position(|n| n.uid == Uid(uid)).ok_or_else(|| refused(earlier))?;
    let op = &plan.nodes[node].op;
    let below = match op {
        Op::Scan(_) => node,
        _ => *plan.nodes[node].inputs.first().ok_or_else(|| refused("its operator has no input"))?,
    };
    if !plan.nodes[below].mode.is_insert_only() {
        return Err(refused("what its operator reads are changes, not rows"));
    }
    let shape = match op {
        Op::Scan(scan) => {
            let columns: Vec<Option<usize>> = scan.read.iter().map(|c| Some(*c)).collect();
            let schema = scan.table.row_schema();
            Shape { scan, schema: scan.read.iter().map(|c| schema.columns()[*c].clone()).collect(), columns }
        }
        _ => trace(plan, below)?,
    };
    let inbox = table.sibling(format!("{}{INBOX_SUFFIX}", table.name));
    if shape.scan.table.path != *table && shape.scan.table.path != inbox {
        return Err(refused("it is a row of another table's scan"));
    }
    let def = &shape.scan.table;
    let missing = shape.scan.read.iter().find(|c| !shape.columns.contains(&Some(**c)));
    match missing {
        Some(column) => Err(refused(&format!(
            "the row of operator {} has no more column '{}' of the table",
            op.name(),
            def.columns[*column].name
        ))),
        None => Ok(shape),
    }
}

/// Follows the columns of a node's output down to the scan.
fn trace(plan: &PhysicalPlan, from: NodeId) -> Result<Shape<'_>> {
    let schema = plan.nodes[from].schema.clone();
    let mut columns: Vec<Option<usize>> = (0..schema.len()).map(Some).collect();
    let mut at = from;
    loop {
        let node = &plan.nodes[at];
        let column_of = |exprs: &[Expr], column: usize| match exprs.get(column) {
            Some(Expr::Column { index, .. }) => Some(*index),
            _ => None,
        };
        match &node.op {
            Op::Scan(scan) => {
                let read = |c: usize| column_of(&scan.output, c).and_then(|i| scan.read.get(i)).copied();
                columns.iter_mut().for_each(|c| *c = c.and_then(read));
                return Ok(Shape { scan, schema, columns });
            }
            Op::Calc(calc) => columns.iter_mut().for_each(|c| *c = c.and_then(|c| column_of(&calc.projection, c))),
            Op::Exchange(_) => {}
            Op::WindowTableFunction(_) => {
                let width = plan.nodes[node.inputs[0]].schema.len();
                columns.iter_mut().for_each(|c| *c = c.filter(|c| *c < width));
            }
            other => {
                return Err(refused(&format!("it is a row behind operator {}, not one of the table", other.name())));
            }
        }
        at = *node.inputs.first().ok_or_else(|| refused("its operator has no input"))?;
    }
}

/// The texts as rows of the operator's input; a text that says less than the row did is refused.
fn rows_of(shape: &Shape<'_>, texts: &[Vec<u8>]) -> Result<RecordBatch> {
    let wrong = || refused("its text does not hold all of its values");
    let schema = shape.schema.to_arrow();
    let mut decoder =
        ReaderBuilder::new(schema.clone()).with_batch_size(texts.len().max(1)).build_decoder().map_err(|_| wrong())?;
    let lines: Vec<u8> = texts.iter().flat_map(|t| t.iter().copied().chain([b'\n'])).collect();
    decoder.decode(&lines).map_err(|_| wrong())?;
    let rows = decoder.flush().map_err(|_| wrong())?.ok_or_else(wrong)?;
    let mut again = vec![];
    let mut writer = LineDelimitedWriter::new(&mut again);
    writer.write(&rows).and_then(|()| writer.finish()).map_err(|_| wrong())?;
    if rows.num_rows() != texts.len() || again != lines {
        return Err(wrong());
    }
    RecordBatch::try_new(Arc::clone(&schema), rows.columns().to_vec()).map_err(|_| wrong())
}
