//! The operators, one a file, and their construction from the plan.

pub(crate) mod calc;
pub(crate) mod changelog_normalize;
pub(crate) mod correlate;
mod difference;
pub(crate) mod drop_update_before;
pub(crate) mod exchange;
pub(crate) mod expand;
pub(crate) mod group_aggregate;
mod kept_rows;
pub(crate) mod rank;
pub(crate) mod semi_join;
pub(crate) mod sink;
pub(crate) mod sink_conflict;
pub(crate) mod sink_guard;
mod sort_key;
pub(crate) mod temporal_sort;
pub(crate) mod union;
pub(crate) mod window;
pub(crate) mod window_aggregate;
pub(crate) mod window_session;
pub(crate) mod window_session_rows;
mod window_slice;
pub(crate) mod window_table_function;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arus_core::Result;
use arus_core::change::arrow_bug;

/// A batch of `rows` rows, also where there is no column.
pub(crate) fn rows(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(arrow_bug)
}
