//! A table of a snapshot as DataFusion's table provider.

use std::fmt;
use std::sync::Arc;

use arus_core::platform::{PG_MODIFIER, PG_TYPE};
use arus_core::read::{ReadTable, ReadTableKind};
use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use crate::keys;
use crate::pg::types::of_column;

/// Batches between a scan and its query.
const READ_AHEAD: usize = 2;

pub(crate) struct SnapshotTable {
    table: Arc<dyn ReadTable>,
    schema: SchemaRef,
}

impl SnapshotTable {
    pub(crate) fn new(table: Arc<dyn ReadTable>) -> Self {
        let schema = described(table.as_ref());
        SnapshotTable { table, schema }
    }

    pub(crate) fn table(&self) -> &dyn ReadTable {
        self.table.as_ref()
    }
}

/// The columns, with what PostgreSQL's clients want to know besides Arrow's types.
fn described(table: &dyn ReadTable) -> SchemaRef {
    let schema = table.schema().to_arrow();
    let fields = schema.fields().iter().zip(table.schema().columns()).map(|(field, column)| {
        let ty = of_column(&column.ty);
        let mut metadata = field.metadata().clone();
        if ty.modifier >= 0 && ty.is_sized() {
            metadata.insert(PG_MODIFIER.into(), ty.modifier.to_string());
        }
        if [1042, 1043].contains(&ty.oid) {
            metadata.insert(PG_TYPE.into(), ty.internal());
        }
        field.as_ref().clone().with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl fmt::Debug for SnapshotTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnapshotTable({})", self.table.path())
    }
}

fn described_rows(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let count = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), rows.columns().to_vec(), &count)?)
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        match self.table.kind() {
            ReadTableKind::Table | ReadTableKind::System => TableType::Base,
            ReadTableKind::View => TableType::View,
        }
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(Statistics {
            num_rows: self.table.rows().map_or(Precision::Absent, |n| Precision::Exact(n as usize)),
            total_byte_size: Precision::Absent,
            column_statistics: vec![ColumnStatistics::new_unknown(); self.schema.fields().len()],
        })
    }

    /// What says something of the primary key; a filter above looks at the rows again.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let key = self.table.primary_key();
        let about = |filter: &Expr| key.iter().any(|i| keys::is_about(filter, self.schema.field(*i).name()));
        let of_key = |filter: &Expr| about(filter) || keys::is_never(filter);
        let pushed = |filter: &&Expr| match of_key(filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(pushed).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        let key: Vec<_> = self.table.primary_key().iter().map(|i| self.schema.field(*i)).collect();
        let keys = keys::of(filters, &key)?;
        let scan = TableScan { table: self.table.clone(), keys, columns, schema: schema.clone(), limit };
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(scan)], None, [], false, limit)?))
    }
}

struct TableScan {
    table: Arc<dyn ReadTable>,
    /// The only keys that can be wanted, as columns.
    keys: Option<Vec<ArrayRef>>,
    columns: Vec<usize>,
    schema: SchemaRef,
    limit: Option<usize>,
}

impl fmt::Debug for TableScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableScan({})", self.table.path())
    }
}

impl PartitionStream for TableScan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// On a thread that may block: a scan reads files and decodes, and a door's threads answer everybody. A few rows that
    /// are found by their keys are there at once.
    fn execute(&self, _ctx: Arc<TaskContext>) -> SendableRecordBatchStream {
        let external = |e: arus_core::Error| DataFusionError::External(Box::new(e));
        if let Some(keys) = &self.keys
            && let Some(found) = self.table.find(keys, &self.columns).transpose()
        {
            let schema = self.schema.clone();
            let rows = found.map_err(external).and_then(|rows| described_rows(&rows, &schema));
            let rows = futures::stream::once(std::future::ready(rows));
            return Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), rows));
        }
        let (table, columns, limit) = (self.table.clone(), self.columns.clone(), self.limit);
        let schema = self.schema.clone();
        let mut stream = RecordBatchReceiverStream::builder(schema.clone(), READ_AHEAD);
        let output = stream.tx();
        stream.spawn_blocking(move || {
            for batch in table.scan(&columns, limit).map_err(external)? {
                let batch = described_rows(&batch.map_err(external)?, &schema)?;
                // The reader has gone: so does the scan. One that has found nothing so far says so by an empty batch.
                let gone = match batch.num_rows() {
                    0 => output.is_closed(),
                    _ => output.blocking_send(Ok(batch)).is_err(),
                };
                if gone {
                    break;
                }
            }
            Ok(())
        });
        stream.build()
    }
}
