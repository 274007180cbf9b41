//! From records to the rows of a scan's output.

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter;
use arrow::datatypes::SchemaRef;
use arus_core::catalog::{ColumnKind, TableDef, TableKind};
use arus_core::change::arrow_bug;
use arus_core::connector::{Decoded, Decoder, RawBatch, Rejected, SourceReader, VALUE_METADATA};
use arus_core::expr::Expr;
use arus_core::limits::FAR_FUTURE_MS;
use arus_core::plan::{Node, Scan};
use arus_core::{ChangeBatch, Error, LogicalType, Result, planted};

use crate::eval::{Compiling, Evaluation, Expressions, kept, null_violations};
use crate::message::WATERMARK_NONE;
use crate::operator::OperatorContext;
use crate::ops::window::millis;
use crate::side::RecordOrigin;
use crate::source::metadata::{Envelope, constant};

/// What a poll brought.
pub(crate) enum Arrived {
    Raw(RawBatch),
    /// All physical columns of the table.
    Rows(RecordBatch),
    /// The physical columns that are read.
    Changes(ChangeBatch),
}

impl Arrived {
    pub(crate) fn len(&self) -> usize {
        match self {
            Arrived::Raw(raw) => raw.records.len(),
            Arrived::Rows(rows) => rows.num_rows(),
            Arrived::Changes(batch) => batch.num_rows(),
        }
    }
}

pub(crate) struct Decoding {
    decoder: Option<Box<dyn Decoder>>,
    columns: Vec<ReadColumn>,
    read_schema: SchemaRef,
    /// Read columns that are NOT NULL, by index in the read columns, with their names.
    not_null: Vec<(usize, String)>,
    /// `None`: the read columns are the output.
    output: Option<Expressions>,
    output_schema: SchemaRef,
    /// The rowtime of a managed topic, which nothing may be far ahead of its append.
    rowtime: Option<usize>,
}

/// Where a read column comes from.
struct ReadColumn {
    from: From,
    /// To the column's own type, where the envelope's differs.
    cast: Option<Expressions>,
    schema: SchemaRef,
}

enum From {
    /// The index among the decoded columns, and among all physical columns of the table.
    Physical {
        decoded: usize,
        in_table: usize,
    },
    Envelope(Envelope),
    /// The index among the decoded columns.
    Value(usize),
    /// The split's value of this key.
    Split {
        key: String,
        ty: LogicalType,
    },
}

/// Where a batch came from.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'a TableDef,
    pub(crate) split: &'a str,
    pub(crate) reader: &'a dyn SourceReader,
}

impl Place<'_> {
    fn constant(&self, key: &str, ty: &LogicalType, rows: usize) -> Result<ArrayRef> {
        let value = self
            .reader
            .metadata(key)
            .ok_or_else(|| Error::user(format!("table {} has no metadata key '{key}'", self.table.path)))?;
        constant(&value, ty, rows)
    }
}

/// Rows on their way, each with the record that it came from.
struct Rows {
    batch: ChangeBatch,
    records: Vec<u32>,
}

impl Decoding {
    pub(crate) fn new(
        scan: &Scan,
        node: &Node,
        decoder: Option<Box<dyn Decoder>>,
        with: Compiling<'_>,
    ) -> Result<Self> {
        let table = &scan.table;
        let physical: Vec<usize> =
            (0..table.columns.len()).filter(|i| matches!(table.columns[*i].kind, ColumnKind::Physical)).collect();
        let read_schema: arus_core::RowSchema = scan
            .read
            .iter()
            .map(|i| arus_core::Column { name: table.columns[*i].name.clone(), ty: table.columns[*i].ty.clone() })
            .collect();
        let mut columns = vec![];
        let mut not_null = vec![];
        let mut decoded = 0;
        // What the format finds in the value stands behind the physical columns.
        let read = |i: &usize| matches!(table.columns[*i].kind, ColumnKind::Physical);
        let mut of_value = scan.read.iter().filter(|i| read(i)).count();
        for (position, index) in scan.read.iter().enumerate() {
            let column = &table.columns[*index];
            let own = std::slice::from_ref(&read_schema.columns()[position]);
            let schema = arus_core::RowSchema::new(own.to_vec()).to_arrow();
            match &column.kind {
                ColumnKind::Physical => {
                    let in_table = physical.iter().position(|p| p == index).unwrap_or(0);
                    columns.push(ReadColumn { from: From::Physical { decoded, in_table }, cast: None, schema });
                    decoded += 1;
                    if !column.ty.nullable {
                        not_null.push((position, column.name.clone()));
                    }
                }
                ColumnKind::Metadata { key, .. } => {
                    let key = key.as_deref().unwrap_or(&column.name);
                    if key.starts_with(VALUE_METADATA) {
                        columns.push(ReadColumn { from: From::Value(of_value), cast: None, schema });
                        of_value += 1;
                        continue;
                    }
                    let Some(envelope) = Envelope::named(key) else {
                        let from = From::Split { key: key.to_string(), ty: column.ty.clone() };
                        columns.push(ReadColumn { from, cast: None, schema });
                        continue;
                    };
                    let given = envelope.ty();
                    let cast = (given.to_arrow() != column.ty.to_arrow())
                        .then(|| {
                            let input = Box::new(Expr::column(0, given));
                            let cast = Expr::Cast { input, ty: column.ty.clone(), safe: false };
                            Expressions::compile(&[cast], with)
                        })
                        .transpose()?;
                    columns.push(ReadColumn { from: From::Envelope(envelope), cast, schema });
                }
                ColumnKind::Computed { .. } => {
                    return Err(Error::bug(format!("a scan of {} reads computed column {}", table.path, column.name)));
                }
            }
        }
        let identity = scan.output.len() == scan.read.len()
            && scan.output.iter().enumerate().all(|(i, e)| matches!(e, Expr::Column { index, .. } if *index == i));
        Ok(Decoding {
            decoder,
            columns,
            read_schema: read_schema.to_arrow(),
            not_null,
            output: if identity { None } else { Some(Expressions::compile(&scan.output, with)?) },
            output_schema: node.schema.to_arrow(),
            rowtime: scan.watermark.as_ref().map(|w| w.column).filter(|_| table.kind == TableKind::Topic),
        })
    }

    /// The rows of the output; what cannot be decoded or evaluated is set aside.
    pub(crate) fn decode(
        &mut self,
        arrived: Arrived,
        place: Place<'_>,
        cx: &mut OperatorContext<'_>,
    ) -> Result<ChangeBatch> {
        match arrived {
            Arrived::Rows(rows) => {
                let columns = self.made(place, rows.num_rows(), |_, in_table| rows.column(in_table).clone())?;
                let read = crate::ops::rows(&self.read_schema, columns, rows.num_rows())?;
                let read = Rows { batch: ChangeBatch::inserts(read), records: vec![] };
                self.finish(read, None, place.split, cx)
            }
            Arrived::Changes(batch) => {
                let rows = batch.rows();
                let columns = self.made(place, rows.num_rows(), |decoded, _| rows.column(decoded).clone())?;
                let read = crate::ops::rows(&self.read_schema, columns, rows.num_rows())?;
                self.finish(Rows { batch: batch.with_rows(read), records: vec![] }, None, place.split, cx)
            }
            Arrived::Raw(raw) => {
                let decoded = self.decode_records(&raw)?;
                if let Some(pill) = decoded.rejected.first().filter(|_| planted("poison-pill-blocks")) {
                    return Err(Error::data(pill.reason.clone()));
                }
                for Rejected { record, reason } in &decoded.rejected {
                    set_aside(&raw, *record, reason.clone(), place.split, cx)?;
                }
                let topic = place.table.path.to_string();
                let mut columns = Vec::with_capacity(self.columns.len());
                for column in &self.columns {
                    columns.push(match &column.from {
                        From::Physical { decoded: index, .. } | From::Value(index) => {
                            decoded.rows.column(*index).clone()
                        }
                        From::Envelope(envelope) => {
                            let given = envelope.column(&raw, &decoded.records, &topic)?;
                            cast(column, given, cx)?
                        }
                        From::Split { key, ty } => place.constant(key, ty, decoded.records.len())?,
                    });
                }
                let rows = crate::ops::rows(&self.read_schema, columns, decoded.rows.num_rows())?;
                let batch = match decoded.kinds {
                    Some(kinds) => ChangeBatch::new(rows, kinds),
                    None => ChangeBatch::inserts(rows),
                };
                self.finish(Rows { batch, records: decoded.records }, Some(&raw), place.split, cx)
            }
        }
    }

    /// The read columns of rows that their source has made; `physical` gives one by its place among those that are read, and
    /// among all of the table.
    fn made(
        &self,
        place: Place<'_>,
        rows: usize,
        physical: impl Fn(usize, usize) -> ArrayRef,
    ) -> Result<Vec<ArrayRef>> {
        let columns = self.columns.iter().map(|c| match &c.from {
            From::Physical { decoded, in_table } => Ok(physical(*decoded, *in_table)),
            From::Envelope(_) | From::Value(_) => Err(Error::user(format!(
                "table {}: its connector makes rows, which have no metadata of records",
                place.table.path
            ))),
            From::Split { key, ty } => place.constant(key, ty, rows),
        });
        columns.collect()
    }

    fn decode_records(&mut self, raw: &RawBatch) -> Result<Decoded> {
        match &mut self.decoder {
            Some(decoder) => decoder.decode(raw),
            // Without a format a record is its envelope.
            None => {
                let schema = std::sync::Arc::new(arrow::datatypes::Schema::empty());
                Ok(Decoded {
                    rows: crate::ops::rows(&schema, vec![], raw.records.len())?,
                    kinds: None,
                    records: (0..raw.records.len() as u32).collect(),
                    rejected: vec![],
                })
            }
        }
    }

    fn finish(
        &self,
        mut rows: Rows,
        raw: Option<&RawBatch>,
        split: &str,
        cx: &mut OperatorContext<'_>,
    ) -> Result<ChangeBatch> {
        let missing = null_violations(&self.not_null, rows.batch.rows());
        rows = without(rows, &missing, raw, split, cx)?;
        let columns = match &self.output {
            None => rows.batch.rows().columns().to_vec(),
            Some(output) => {
                let Evaluation { mut columns, failed } = output.run(rows.batch.rows(), cx.now_ms(), cx.watermark())?;
                if !failed.is_empty() {
                    let keep = kept(rows.batch.num_rows(), &failed)?;
                    for column in &mut columns {
                        *column = filter(column, &keep).map_err(arrow_bug)?;
                    }
                    rows = without(rows, &failed, raw, split, cx)?;
                }
                columns
            }
        };
        let out = crate::ops::rows(&self.output_schema, columns, rows.batch.num_rows())?;
        rows.batch = rows.batch.with_rows(out);
        if let (Some(column), Some(raw)) = (self.rowtime, raw) {
            let ahead = far_ahead(&rows, column, raw)?;
            rows = without(rows, &ahead, Some(raw), split, cx)?;
        }
        Ok(rows.batch)
    }
}

/// Rows whose time is so far ahead of their append that their watermark would close every window.
fn far_ahead(rows: &Rows, column: usize, raw: &RawBatch) -> Result<Vec<(u32, String)>> {
    let times = millis(rows.batch.rows().column(column))?;
    let name = rows.batch.rows().schema_ref().field(column).name().clone();
    let mut ahead = vec![];
    for (row, record) in rows.records.iter().enumerate() {
        let appended_ms = raw.records[*record as usize].timestamp_ms;
        if appended_ms > 0
            && !planted("far-future-taken")
            && times.is_valid(row)
            && times.value(row).saturating_sub(appended_ms) > FAR_FUTURE_MS
        {
            let (time, limit) = (times.value(row), FAR_FUTURE_MS / 3_600_000);
            let reason = format!(
                "column '{name}' is more than {limit} h ahead of its append: {time} ms since 1970, appended at {appended_ms}"
            );
            ahead.push((row as u32, reason));
        }
    }
    Ok(ahead)
}

fn cast(column: &ReadColumn, given: ArrayRef, cx: &OperatorContext<'_>) -> Result<ArrayRef> {
    let Some(cast) = &column.cast else { return Ok(given) };
    let length = given.len();
    let field = arrow::datatypes::Field::new(column.schema.field(0).name(), given.data_type().clone(), true);
    let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(vec![field]));
    let batch = crate::ops::rows(&schema, vec![given], length)?;
    let mut evaluated = cast.run(&batch, cx.now_ms(), WATERMARK_NONE)?;
    match evaluated.failed.first() {
        Some((_, reason)) => Err(Error::data(format!("metadata column {}: {reason}", column.schema.field(0).name()))),
        None => Ok(evaluated.columns.swap_remove(0)),
    }
}

/// Sets failed rows aside (their records, where there are any) and keeps the others.
fn without(
    rows: Rows,
    failed: &[(u32, String)],
    raw: Option<&RawBatch>,
    split: &str,
    cx: &mut OperatorContext<'_>,
) -> Result<Rows> {
    if failed.is_empty() {
        return Ok(rows);
    }
    match raw {
        Some(raw) => {
            for (row, reason) in failed {
                set_aside(raw, rows.records[*row as usize], reason.clone(), split, cx)?;
            }
        }
        None => cx.quarantine(rows.batch.rows(), failed)?,
    }
    let keep: BooleanArray = kept(rows.batch.num_rows(), failed)?;
    let records =
        rows.records.iter().enumerate().filter(|(row, _)| keep.value(*row)).map(|(_, record)| *record).collect();
    Ok(Rows { batch: rows.batch.filter(&keep)?, records })
}

fn set_aside(raw: &RawBatch, record: u32, reason: String, split: &str, cx: &mut OperatorContext<'_>) -> Result<()> {
    let at = raw
        .records
        .get(record as usize)
        .ok_or_else(|| Error::bug(format!("record {record} of {} was rejected", raw.records.len())))?;
    let bytes = at.value.map_or(&[][..], |span| raw.bytes(span));
    let origin = RecordOrigin { split: split.to_string(), partition: raw.partition, offset: at.offset };
    cx.quarantine_record(bytes, reason, origin)
}
