//! The ends of a pipeline: connectors, topics, keyed tables, side tables.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, Int32Array, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray,
};
use arus_connect::{RowLines, TopicSource};
use arus_core::catalog::{ColumnKind, ConnectorCatalog, ObjectPath, TableDef, TableKind};
use arus_core::change::arrow_bug;
use arus_core::connector::{ConnectContext, Connector, Decoder, Encoder, Format, Source, VALUE_METADATA};
use arus_core::plan::{NodeId, Scan, Sink, SinkTarget};
use arus_core::{ChangeBatch, Column, Error, Result, RowSchema, planted};
use arus_storage::log::Topic;
use arus_stream::{CollectFn, LateRow, PipelineIo, QuarantinedRow, ScanHandle, SideTables, SinkHandle, SourceGate};

use crate::change::InboxDecoder;
use crate::follow::KeyedSource;
use crate::jobs::Job;
use crate::replay::{WithReplays, original_split, takes_replays};
use crate::shared::Shared;
use crate::tables::{Store, Table, late_schema, quarantine_schema, side_id};
use crate::waiting::waiting;

/// The ends of a running job.
pub(crate) struct EngineIo {
    shared: Arc<Shared>,
    job: Arc<Job>,
    connect: ConnectContext,
}

impl EngineIo {
    /// `task`: its number, where the job has several.
    pub(crate) fn new(shared: Arc<Shared>, job: Arc<Job>, task: Option<usize>) -> Self {
        let connect = ConnectContext { task, ..shared.connect_context(&job.spec.settings) };
        EngineIo { shared, job, connect }
    }
}

impl PipelineIo for EngineIo {
    fn scan(&self, node: NodeId, scan: &Scan) -> Result<ScanHandle> {
        let source = running_source(&self.shared, scan, &self.connect, Some((self.job.as_ref(), node)))?;
        let table = self.shared.table_of(&scan.table.path);
        let in_folder = table.as_ref().is_some_and(|(t, _)| !matches!(t.store, Store::Connector { inbox: None }));
        let source = waiting(source, &self.shared, &self.job, in_folder);
        let source: Arc<dyn Source> = match table {
            Some((table, _)) if takes_replays(&self.shared, scan.table.kind) => {
                Arc::new(WithReplays::new(source, table, self.job.clone(), self.shared.config.clock.clone()))
            }
            _ => source,
        };
        Ok(ScanHandle { source, decoder: decoder(&self.shared, scan, &self.connect)? })
    }

    fn sink(&self, _node: NodeId, sink: &Sink) -> Result<SinkHandle> {
        let def = match &sink.target {
            SinkTarget::Collect => return Ok(SinkHandle::Collect(print_rows(&self.job, &self.connect))),
            SinkTarget::Table(def) => def,
        };
        if def.kind == TableKind::Connector {
            let name = def.connector().unwrap_or_default();
            let connector = self.shared.registry.connector(name);
            let connector = connector.ok_or_else(|| Error::user(format!("connector '{name}' does not exist")))?;
            let (def, mask) = self.connect.secrets.open(def)?;
            return Ok(SinkHandle::Writer(connector.sink(&def, &self.connect).map_err(|e| mask.error(e))?));
        }
        let table = self.shared.tables.require(&def.path)?;
        Ok(match &table.store {
            Store::Keyed { table, .. } => SinkHandle::Keyed(table.clone()),
            Store::Topic(topic) => SinkHandle::Topic {
                partitions: topic.partitions().to_vec(),
                encoder: encoder(&self.shared, def, &self.connect)?,
                keys: vec![],
            },
            Store::Connector { .. } => return Err(Error::bug(format!("'{}' is no managed table", def.path))),
        })
    }

    fn sink_is_parallel(&self, sink: &Sink) -> bool {
        let SinkTarget::Table(def) = &sink.target else { return false };
        let connector = def.connector().and_then(|name| self.shared.registry.connector(name));
        connector.is_some_and(Connector::parallel_sink)
    }

    fn side_tables(&self) -> Result<Box<dyn SideTables>> {
        Ok(Box::new(SideWriter::new(self.shared.clone(), self.job.spec.name.clone())))
    }

    fn gate(&self) -> SourceGate {
        self.job.gate.clone()
    }
}

/// The source of a pipeline that runs; `of`: the job whose checkpoints hold its position.
pub(crate) fn running_source(
    shared: &Shared,
    scan: &Scan,
    connect: &ConnectContext,
    of: Option<(&Job, NodeId)>,
) -> Result<Arc<dyn Source>> {
    let def = &scan.table;
    let Some((table, is_inbox)) = shared.table_of(&def.path) else {
        return Err(Error::bug(format!("table '{}' of a plan does not exist", def.path)));
    };
    let topic = |def: &TableDef, topic: &Topic, by_pipeline: bool| -> Result<Arc<dyn Source>> {
        Ok(Arc::new(TopicSource::new(def, topic.partitions().to_vec(), by_pipeline, None)?))
    };
    match (&table.store, is_inbox) {
        (Store::Keyed { inbox, .. }, true) => topic(def, inbox, false),
        (Store::Topic(t), _) => topic(def, t, table.is_written_by_pipeline()),
        (Store::Connector { inbox: Some(t) }, _) => topic(&as_topic(def), t, false),
        (Store::Connector { inbox: None }, _) => {
            let name = def.connector().unwrap_or_default();
            match shared.registry.connector(name) {
                Some(connector) => {
                    let (def, mask) = connect.secrets.open(def)?;
                    connector.source_of(&def, &read_columns(scan), connect).map_err(|e| mask.error(e))
                }
                None => Err(Error::user(format!("connector '{name}' does not exist"))),
            }
        }
        (Store::Keyed { table, .. }, false) => Ok(Arc::new(KeyedSource::new(table, scan, of)?)),
    }
}

/// A bare SELECT prints its rows as the print sink would.
fn print_rows(job: &Job, connect: &ConnectContext) -> CollectFn {
    let sink = job.spec.plan.sinks().next().and_then(|(id, _)| job.spec.plan.nodes.get(id));
    let types = sink.map(|node| node.schema.types().cloned().collect()).unwrap_or_default();
    let lines = RowLines::new(types, String::new());
    let output = connect.stdout.clone();
    Box::new(move |batch| {
        let mut text = String::new();
        lines.write(batch, &mut text);
        output.write_lines(&text)
    })
}

pub(crate) fn connector_source(shared: &Shared, def: &TableDef, connect: &ConnectContext) -> Result<Arc<dyn Source>> {
    let name = def.connector().unwrap_or_default();
    match shared.registry.connector(name) {
        Some(connector) => {
            let (def, mask) = connect.secrets.open(def)?;
            connector.source(&def, connect).map_err(|e| mask.error(e))
        }
        None => Err(Error::user(format!("connector '{name}' does not exist"))),
    }
}

/// The table as the topic that its rows go through: JSON, from the start.
pub(crate) fn as_topic(def: &TableDef) -> TableDef {
    let mut topic = def.clone();
    topic.kind = TableKind::Topic;
    topic.options.clear();
    topic
}

/// Whether the rows of a keyed table are read, not those that wait to become its rows.
fn is_keyed(shared: &Shared, def: &TableDef) -> bool {
    shared.table_of(&def.path).is_some_and(|(table, inbox)| table.keyed().is_some() && !inbox)
}

/// The physical columns that a scan reads.
fn read_columns(scan: &Scan) -> RowSchema {
    let columns = scan.read.iter().map(|i| &scan.table.columns[*i]);
    columns
        .filter(|c| matches!(c.kind, ColumnKind::Physical))
        .map(|c| Column { name: c.name.clone(), ty: c.ty.clone() })
        .collect()
}

/// Decodes what a scan reads of the table's physical columns; `None` where the source makes rows.
pub(crate) fn decoder(shared: &Shared, scan: &Scan, connect: &ConnectContext) -> Result<Option<Box<dyn Decoder>>> {
    let def = &scan.table;
    let through_topic =
        shared.tables.get(&def.path).is_some_and(|t| matches!(t.store, Store::Connector { inbox: Some(_) }));
    if def.kind == TableKind::Connector && def.option("format").is_none() && !through_topic {
        return Ok(None);
    }
    if is_keyed(shared, def) {
        return Ok(None);
    }
    let columns = read_columns(scan);
    let metadata: Vec<&str> = scan
        .read
        .iter()
        .filter_map(|i| match &def.columns[*i].kind {
            ColumnKind::Metadata { key, .. } => {
                key.as_deref().unwrap_or(&def.columns[*i].name).strip_prefix(VALUE_METADATA)
            }
            _ => None,
        })
        .collect();
    if through_topic {
        let def = as_topic(def);
        return format(shared, &def)?.decoder(&def, &columns, connect).map(Some);
    }
    let decoder = format(shared, def)?.decoder_with_metadata(def, &columns, &metadata, connect)?;
    let inbox = shared.table_of(&def.path).is_some_and(|(_, inbox)| inbox);
    Ok(Some(if inbox { Box::new(InboxDecoder(decoder)) } else { decoder }))
}

/// Decodes these columns of a managed table.
pub(crate) fn decoder_of(
    shared: &Shared,
    def: &TableDef,
    columns: &RowSchema,
    connect: &ConnectContext,
) -> Result<Box<dyn Decoder>> {
    format(shared, def)?.decoder(def, columns, connect)
}

pub(crate) fn encoder(shared: &Shared, def: &TableDef, connect: &ConnectContext) -> Result<Box<dyn Encoder>> {
    format(shared, def)?.encoder(def, &def.physical_schema(), connect)
}

fn format<'a>(shared: &'a Shared, def: &TableDef) -> Result<&'a dyn Format> {
    let name = def.option("format").or(def.option("value.format")).unwrap_or("json");
    shared.registry.format(name).ok_or_else(|| Error::user(format!("format '{name}' does not exist")))
}

/// Puts late and quarantined rows into the tables that keep them.
pub(crate) struct SideWriter {
    shared: Arc<Shared>,
    pipeline: String,
}

impl SideWriter {
    pub(crate) fn new(shared: Arc<Shared>, pipeline: String) -> Self {
        SideWriter { shared, pipeline }
    }

    /// Rows by their table; those of a table that is gone meanwhile go with it.
    fn by_table<R>(&self, rows: Vec<R>, path: impl Fn(&R) -> ObjectPath) -> Vec<(Arc<Table>, Vec<R>)> {
        let mut groups: Vec<(Arc<Table>, Vec<R>)> = vec![];
        for row in rows {
            let Some((table, _)) = self.shared.table_of(&path(&row)) else { continue };
            match groups.iter_mut().find(|(t, _)| Arc::ptr_eq(t, &table)) {
                Some((_, group)) => group.push(row),
                None => groups.push((table, vec![row])),
            }
        }
        groups
    }
}

impl SideTables for SideWriter {
    fn late(&mut self, rows: Vec<LateRow>) -> Result<()> {
        if planted("late-rows-lost") {
            return Ok(());
        }
        for (table, rows) in self.by_table(rows, |r| r.table.clone()) {
            let n = rows.len();
            let ids = rows.iter().map(|r| side_id(&self.pipeline, r.key.uid.0, r.key.epoch, r.key.ordinal));
            let columns: Vec<ArrayRef> = vec![
                Arc::new(ids.map(Some).collect::<StringViewArray>()),
                Arc::new(rows.iter().map(|r| Some(r.row.as_str())).collect::<StringViewArray>()),
                instants(rows.iter().map(|r| Some(r.time_ms))),
                instants(rows.iter().map(|r| Some(r.watermark_ms))),
                Arc::new((0..n).map(|_| Some(self.pipeline.as_str())).collect::<StringViewArray>()),
                Arc::new(rows.iter().map(|r| Some(r.operator)).collect::<StringViewArray>()),
            ];
            let batch = RecordBatch::try_new(late_schema().to_arrow(), columns).map_err(arrow_bug)?;
            table.late.apply(&ChangeBatch::inserts(batch))?;
        }
        Ok(())
    }

    fn quarantine(&mut self, rows: Vec<QuarantinedRow>) -> Result<()> {
        if planted("rejected-rows-lost") {
            return Ok(());
        }
        for (table, rows) in self.by_table(rows, |r| r.table.clone()) {
            let n = rows.len();
            let ids = rows.iter().map(|r| match &r.origin {
                // A record is named by its place: a replay sets the same one aside once.
                Some(origin) => format!("{}/{}/{:020}", self.pipeline, original_split(&origin.split), origin.offset),
                None => side_id(&self.pipeline, r.key.uid.0, r.key.epoch, r.key.ordinal),
            });
            let source = |r: &QuarantinedRow| match &r.origin {
                Some(origin) => original_split(&origin.split).to_string(),
                None => r.operator.to_string(),
            };
            let columns: Vec<ArrayRef> = vec![
                Arc::new(ids.map(Some).collect::<StringViewArray>()),
                Arc::new(rows.iter().map(|r| Some(r.bytes.as_slice())).collect::<BinaryViewArray>()),
                Arc::new(rows.iter().map(|r| Some(r.reason.as_str())).collect::<StringViewArray>()),
                Arc::new(rows.iter().map(|r| Some(source(r))).collect::<StringViewArray>()),
                Arc::new(rows.iter().map(|r| r.origin.as_ref().map(|o| o.partition)).collect::<Int32Array>()),
                Arc::new(rows.iter().map(|r| r.origin.as_ref().map(|o| o.offset)).collect::<Int64Array>()),
                Arc::new((0..n).map(|_| Some(self.pipeline.as_str())).collect::<StringViewArray>()),
                instants(rows.iter().map(|r| Some(r.now_ms))),
            ];
            let batch = RecordBatch::try_new(quarantine_schema().to_arrow(), columns).map_err(arrow_bug)?;
            table.quarantine.apply(&ChangeBatch::inserts(batch))?;
        }
        Ok(())
    }
}

fn instants(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

/// A row that was refused before it was appended.
pub(crate) struct RejectedRecord<'a> {
    pub(crate) id: String,
    pub(crate) bytes: &'a [u8],
    pub(crate) reason: &'a str,
    pub(crate) source: &'a str,
    /// Within its request.
    pub(crate) index: i64,
}

/// Refused rows as rows of a quarantine.
pub(crate) fn rejected_batch<'a>(rows: impl Iterator<Item = RejectedRecord<'a>>, now_ms: i64) -> Result<ChangeBatch> {
    let rows: Vec<_> = rows.collect();
    let n = rows.len();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|r| Some(r.id.as_str())).collect::<StringViewArray>()),
        Arc::new(rows.iter().map(|r| Some(r.bytes)).collect::<BinaryViewArray>()),
        Arc::new(rows.iter().map(|r| Some(r.reason)).collect::<StringViewArray>()),
        Arc::new(rows.iter().map(|r| Some(r.source)).collect::<StringViewArray>()),
        Arc::new((0..n).map(|_| None).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|r| Some(r.index)).collect::<Int64Array>()),
        Arc::new((0..n).map(|_| None::<&str>).collect::<StringViewArray>()),
        instants((0..n).map(|_| Some(now_ms))),
    ];
    let batch = RecordBatch::try_new(quarantine_schema().to_arrow(), columns).map_err(arrow_bug)?;
    Ok(ChangeBatch::inserts(batch))
}
