//! TUMBLE, HOP and CUMULATE as table functions: each row once for every window that holds it, with window_start,
//! window_end and window_time appended; every row kind passes unchanged.
//!
//! Rows without a time belong to no window: Flink drops them, here they are quarantined too.

use arrow::array::UInt32Array;
use arrow::datatypes::SchemaRef;
use arus_core::plan::{Node, Window, WindowProperty};
use arus_core::{ChangeBatch, Error, LogicalType, Result};

use crate::operator::{Operator, OperatorContext};
use crate::ops::window::{Windows, timed, timestamps};

pub(crate) struct WindowTableFunction {
    windows: Windows,
    time: usize,
    schema: SchemaRef,
    /// Of start, end and time.
    types: [LogicalType; 3],
}

impl WindowTableFunction {
    pub(crate) fn new(window: &Window, node: &Node, time_zone: &str) -> Result<Self> {
        let columns = node.schema.columns();
        let [.., start, end, time] = columns else {
            return Err(Error::bug("a window table function without its three columns"));
        };
        Ok(WindowTableFunction {
            windows: Windows::new(window, time_zone)?,
            time: window.time,
            schema: node.schema.to_arrow(),
            types: [start.ty.clone(), end.ty.clone(), time.ty.clone()],
        })
    }
}

impl Operator for WindowTableFunction {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let (batch, times) = timed(batch, self.time, self.windows, cx)?;
        let mut places: Vec<u32> = Vec::with_capacity(batch.num_rows());
        let mut bounds: Vec<(i64, i64)> = Vec::with_capacity(batch.num_rows());
        for (row, local) in self.windows.locals(&times).into_iter().enumerate() {
            self.windows.each(local, |start, end| {
                places.push(row as u32);
                bounds.push((start, end));
            });
        }
        let once = places.len() == batch.num_rows() && places.iter().enumerate().all(|(i, row)| i == *row as usize);
        let batch = if once { batch } else { batch.take(&UInt32Array::from(places))? };
        let mut columns = batch.rows().columns().to_vec();
        let properties = [WindowProperty::Start, WindowProperty::End, WindowProperty::Time];
        for (property, ty) in properties.into_iter().zip(&self.types) {
            let values = bounds.iter().map(|(start, end)| self.windows.property(property, *start, *end, cx.now_ms()));
            columns.push(timestamps(values, ty)?);
        }
        let rows = crate::ops::rows(&self.schema, columns, batch.num_rows())?;
        cx.emit(batch.with_rows(rows));
        Ok(())
    }
}
