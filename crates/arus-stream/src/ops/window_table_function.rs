//! TUMBLE as a table function: appends window_start, window_end and window_time; every row kind passes unchanged.
//!
//! Rows without a time belong to no window: Flink drops them, here they are quarantined too.

use arrow::array::BooleanArray;
use arrow::datatypes::SchemaRef;
use arus_core::plan::{Node, Window, WindowProperty};
use arus_core::{ChangeBatch, Error, LogicalType, Result};

use crate::operator::{Operator, OperatorContext};
use crate::ops::window::{Tumble, millis, null_rows, timestamps};

pub(crate) struct WindowTableFunction {
    tumble: Tumble,
    time: usize,
    schema: SchemaRef,
    /// Of start, end and time.
    types: [LogicalType; 3],
}

pub(crate) const NO_ROWTIME: &str = "the rowtime is NULL";

impl WindowTableFunction {
    pub(crate) fn new(window: &Window, node: &Node, time_zone: &str) -> Result<Self> {
        let columns = node.schema.columns();
        let [.., start, end, time] = columns else {
            return Err(Error::bug("a window table function without its three columns"));
        };
        Ok(WindowTableFunction {
            tumble: Tumble::new(window, time_zone)?,
            time: window.time,
            schema: node.schema.to_arrow(),
            types: [start.ty.clone(), end.ty.clone(), time.ty.clone()],
        })
    }
}

impl Operator for WindowTableFunction {
    fn on_batch(&mut self, _port: usize, mut batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let mut times = millis(batch.rows().column(self.time))?;
        let untimed = null_rows(&times);
        if !untimed.is_empty() {
            let failed: Vec<_> = untimed.into_iter().map(|row| (row, NO_ROWTIME.to_string())).collect();
            cx.quarantine(batch.rows(), &failed)?;
            let timed = BooleanArray::from_iter(times.iter().map(|time| Some(time.is_some())));
            batch = batch.filter(&timed)?;
            times = millis(batch.rows().column(self.time))?;
        }
        let ends = self.tumble.ends(&times);
        let mut columns = batch.rows().columns().to_vec();
        let properties = [WindowProperty::Start, WindowProperty::End, WindowProperty::Time];
        for (property, ty) in properties.into_iter().zip(&self.types) {
            columns.push(timestamps(ends.iter().map(|end| self.tumble.property(property, *end)), ty)?);
        }
        let rows = crate::ops::rows(&self.schema, columns, batch.num_rows())?;
        cx.emit(batch.with_rows(rows));
        Ok(())
    }
}
