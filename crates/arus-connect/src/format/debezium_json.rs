//! `'format' = 'debezium-json'`: the change events of Debezium, each the row before and after and what was done.
//!
//! | op | gives |
//! |---|---|
//! | `c`, `r` | `+I` after |
//! | `u` | `-U` before, `+U` after |
//! | `d` | `-D` before |
//!
//! Writing knows no updates: `+I` and `+U` are written as `c`, `-U` and `-D` as `d`, as Flink does.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringViewBuilder, StructArray,
    TimestampMillisecondBuilder,
};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arus_core::catalog::TableDef;
use arus_core::change::arrow_bug;
use arus_core::connector::{
    ConnectContext, Decoded, Decoder, EncodedRecords, Encoder, Format, OptionDef, OptionKind, RawBatch, Rejected,
};
use arus_core::error::Code;
use arus_core::plan::ChangelogMode;
use arus_core::types::{RowField, TimeAttribute};
use arus_core::{ChangeBatch, Column, Error, LogicalType, Result, RowKind, RowSchema, TypeKind};

use crate::format::json::{self, JsonDecoder, RowWriter, option};
use crate::options::Options;

pub(crate) struct DebeziumJson;

const SCHEMA_INCLUDE: &str = "schema-include";

const OPTIONS: &[OptionDef] = &[
    option(SCHEMA_INCLUDE, OptionKind::Boolean, "false", "records hold their schema too: the event is in 'payload'"),
    json::IGNORE_PARSE_ERRORS_OPTION,
    json::TIMESTAMP_FORMAT_OPTION,
    json::MAP_NULL_KEY_MODE_OPTION,
    json::MAP_NULL_KEY_LITERAL_OPTION,
    json::DECIMAL_AS_PLAIN_NUMBER_OPTION,
    json::IGNORE_NULL_FIELDS_OPTION,
];

/// A METADATA key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meta {
    Schema,
    IngestionTimestamp,
    SourceTimestamp,
    SourceText(&'static str),
    SourceProperties,
}

const META: &[(&str, Meta)] = &[
    ("schema", Meta::Schema),
    ("ingestion-timestamp", Meta::IngestionTimestamp),
    ("source.timestamp", Meta::SourceTimestamp),
    ("source.database", Meta::SourceText("db")),
    ("source.schema", Meta::SourceText("schema")),
    ("source.table", Meta::SourceText("table")),
    ("source.properties", Meta::SourceProperties),
];

fn text_map() -> TypeKind {
    TypeKind::Map(Box::new(TypeKind::STRING.nullable()), Box::new(TypeKind::STRING.nullable()))
}

impl Meta {
    fn ty(self) -> LogicalType {
        match self {
            Meta::Schema | Meta::SourceText(_) => TypeKind::STRING,
            Meta::IngestionTimestamp | Meta::SourceTimestamp => {
                TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None }
            }
            Meta::SourceProperties => text_map(),
        }
        .nullable()
    }

    /// The field of the record that it is read from, and whether that lies beside the payload.
    fn field(self) -> (&'static str, LogicalType, bool) {
        match self {
            Meta::Schema => ("schema", TypeKind::STRING.nullable(), true),
            Meta::IngestionTimestamp => ("ts_ms", TypeKind::BigInt.nullable(), false),
            _ => ("source", text_map().nullable(), false),
        }
    }

    /// The column of `rows` rows; `None`: a value that cannot be read, with its row.
    fn column(self, field: &ArrayRef) -> Result<(ArrayRef, Vec<(usize, String)>)> {
        let mut failed = vec![];
        let zone = || Arc::<str>::from("UTC");
        let column: ArrayRef = match self {
            Meta::Schema | Meta::SourceProperties => field.clone(),
            Meta::IngestionTimestamp => Arc::new(
                field
                    .as_primitive::<Int64Type>()
                    .reinterpret_cast::<arrow::datatypes::TimestampMillisecondType>()
                    .with_timezone(zone()),
            ),
            Meta::SourceTimestamp => {
                let mut times = TimestampMillisecondBuilder::new().with_timezone(zone());
                for row in 0..field.len() {
                    let text = property(field, row, "ts_ms");
                    match text.as_deref().map(str::parse::<i64>) {
                        None => times.append_null(),
                        Some(Ok(ms)) => times.append_value(ms),
                        Some(Err(_)) => {
                            failed.push((row, format!("field 'source.ts_ms': expected milliseconds, found {text:?}")));
                            times.append_null();
                        }
                    }
                }
                Arc::new(times.finish())
            }
            Meta::SourceText(key) => {
                let mut texts = StringViewBuilder::with_capacity(field.len());
                (0..field.len()).for_each(|row| texts.append_option(property(field, row, key)));
                Arc::new(texts.finish())
            }
        };
        Ok((column, failed))
    }
}

/// The value of a key of a MAP<STRING, STRING>.
fn property(maps: &ArrayRef, row: usize, key: &str) -> Option<String> {
    if maps.is_null(row) {
        return None;
    }
    let entries = maps.as_list::<i32>().value(row);
    let entries = entries.as_struct();
    let (keys, values) = (entries.column(0).as_string_view(), entries.column(1).as_string_view());
    let at = (0..keys.len()).find(|i| keys.is_valid(*i) && keys.value(*i) == key)?;
    values.is_valid(at).then(|| values.value(at).to_string())
}

impl Format for DebeziumJson {
    fn name(&self) -> &'static str {
        "debezium-json"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::ALL
    }

    fn encoding_mode(&self) -> ChangelogMode {
        ChangelogMode::ALL
    }

    fn metadata(&self) -> Vec<(&'static str, LogicalType)> {
        META.iter().map(|(key, meta)| (*key, meta.ty())).collect()
    }

    fn decoder(&self, table: &TableDef, columns: &RowSchema, cx: &ConnectContext) -> Result<Box<dyn Decoder>> {
        self.decoder_with_metadata(table, columns, &[], cx)
    }

    fn decoder_with_metadata(
        &self,
        table: &TableDef,
        columns: &RowSchema,
        metadata: &[&str],
        _cx: &ConnectContext,
    ) -> Result<Box<dyn Decoder>> {
        let options = Options::of_format(table, "debezium-json.", OPTIONS);
        let metadata: Result<Vec<Meta>> = metadata
            .iter()
            .map(|key| {
                let found = META.iter().find(|(name, _)| name == key).map(|(_, meta)| *meta);
                found.ok_or_else(|| Error::bug(format!("format debezium-json has no metadata key '{key}'")))
            })
            .collect();
        let metadata = metadata?;
        let schema_include = options.flag(SCHEMA_INCLUDE)?;
        let ignore_parse_errors = options.flag(json::IGNORE_PARSE_ERRORS)?;
        let envelope = envelope(columns, &metadata, schema_include);
        let decoder = JsonDecoder::new(&envelope, false, ignore_parse_errors, json::timestamps(&options)?)?;
        let all = columns.columns().iter().cloned().chain(
            metadata.iter().enumerate().map(|(i, meta)| Column { name: format!("metadata {i}"), ty: meta.ty() }),
        );
        Ok(Box::new(EventDecoder {
            records: decoder,
            schema_include,
            ignore_parse_errors,
            schema: all.collect::<RowSchema>().to_arrow(),
            columns: columns.len(),
            metadata,
        }))
    }

    fn encoder(&self, table: &TableDef, schema: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Encoder>> {
        let options = Options::of_format(table, "debezium-json.", OPTIONS);
        if options.flag(SCHEMA_INCLUDE)? {
            return Err(Error::user(format!(
                "table '{}': format debezium-json cannot write with 'debezium-json.{SCHEMA_INCLUDE}' = 'true'",
                table.path
            ))
            .with_code(Code::InvalidOption)
            .with_hint("leave the option out of a table that is written"));
        }
        Ok(Box::new(EventEncoder { rows: RowWriter::new(schema, json::style(&options)?)? }))
    }
}

/// What is read of a record: `before`, `after`, `op` and fields for metadata, all of them in `payload` where the schema
/// is included.
fn envelope(columns: &RowSchema, metadata: &[Meta], schema_include: bool) -> RowSchema {
    let row = TypeKind::Row(
        columns.columns().iter().map(|c| RowField { name: c.name.clone(), ty: c.ty.clone(), comment: None }).collect(),
    );
    let column = |name: &str, ty: LogicalType| Column { name: name.to_string(), ty };
    let mut payload = vec![
        column("before", row.clone().nullable()),
        column("after", row.nullable()),
        column("op", TypeKind::STRING.nullable()),
    ];
    let mut beside = vec![];
    for meta in metadata {
        let (name, ty, is_beside) = meta.field();
        let fields = if is_beside { &mut beside } else { &mut payload };
        if !fields.iter().any(|c: &Column| c.name == name) {
            fields.push(column(name, ty));
        }
    }
    if schema_include {
        let fields = payload.into_iter().map(|c| RowField { name: c.name, ty: c.ty, comment: None }).collect();
        payload = vec![column("payload", TypeKind::Row(fields).nullable())];
    }
    payload.into_iter().chain(beside).collect()
}

struct EventDecoder {
    records: JsonDecoder,
    schema_include: bool,
    ignore_parse_errors: bool,
    /// Of the output: columns, then metadata.
    schema: SchemaRef,
    columns: usize,
    metadata: Vec<Meta>,
}

/// Which row of an event.
const BEFORE: usize = 0;
const AFTER: usize = 1;

/// The rows that events give.
#[derive(Default)]
struct Picked {
    /// Side and event of each row.
    rows: Vec<(usize, usize)>,
    kinds: Vec<RowKind>,
    records: Vec<u32>,
}

impl Picked {
    fn push(&mut self, side: usize, event: usize, kind: RowKind, record: u32) {
        self.rows.push((side, event));
        self.kinds.push(kind);
        self.records.push(record);
    }
}

impl EventDecoder {
    /// The rows of each event by its operation, or why there are none.
    fn pick(
        &self,
        sides: [&StructArray; 2],
        ops: &ArrayRef,
        event: usize,
        record: u32,
        picked: &mut Picked,
    ) -> Result<(), String> {
        let ops = ops.as_string_view();
        let op = if ops.is_valid(event) { ops.value(event) } else { return Err("field 'op' is missing".into()) };
        let there = |side: usize, what: &str| {
            if sides[side].is_valid(event) {
                return Ok(());
            }
            let name = ["before", "after"][side];
            Err(if side == BEFORE {
                format!("field '{name}' of {what} is null: the table's replica identity must be FULL")
            } else {
                format!("field '{name}' of {what} is null")
            })
        };
        match op {
            "c" | "r" => {
                there(AFTER, "an insert")?;
                picked.push(AFTER, event, RowKind::Insert, record);
            }
            "u" => {
                there(BEFORE, "an update")?;
                there(AFTER, "an update")?;
                picked.push(BEFORE, event, RowKind::UpdateBefore, record);
                picked.push(AFTER, event, RowKind::UpdateAfter, record);
            }
            "d" => {
                there(BEFORE, "a delete")?;
                picked.push(BEFORE, event, RowKind::Delete, record);
            }
            other => {
                let shown: String = other.chars().take(20).collect();
                return Err(format!("field 'op': expected c, r, u or d, found \"{shown}\""));
            }
        }
        Ok(())
    }

    /// The row columns of all picked rows.
    fn rows(&self, sides: [&StructArray; 2], picked: &Picked) -> Result<Vec<ArrayRef>> {
        let only_after = picked.rows.iter().enumerate().all(|(i, row)| *row == (AFTER, i));
        (0..self.columns)
            .map(|column| {
                let (before, after) = (sides[BEFORE].column(column), sides[AFTER].column(column));
                if only_after && picked.rows.len() == after.len() {
                    return Ok(after.clone());
                }
                interleave(&[before.as_ref(), after.as_ref()], &picked.rows).map_err(arrow_bug)
            })
            .collect()
    }
}

/// The payload's columns: the record's, or those of the ROW in it, NULL where that is.
fn payload_columns(records: &RecordBatch, schema_include: bool) -> Result<Vec<(String, ArrayRef)>> {
    let named = |fields: &arrow::datatypes::Fields, columns: &[ArrayRef]| {
        fields.iter().zip(columns).map(|(f, c)| (f.name().clone(), c.clone())).collect::<Vec<_>>()
    };
    if !schema_include {
        return Ok(named(records.schema_ref().fields(), records.columns()));
    }
    let payload = records.column(0).as_struct();
    let mut columns = match payload.data_type() {
        DataType::Struct(fields) => named(fields, payload.columns()),
        other => return Err(Error::bug(format!("a payload of type {other}"))),
    };
    columns.extend(named(records.schema_ref().fields(), records.columns()).into_iter().skip(1));
    Ok(columns)
}

impl Decoder for EventDecoder {
    fn decode(&mut self, raw: &RawBatch) -> Result<Decoded> {
        let decoded = self.records.decode(raw)?;
        let columns = payload_columns(&decoded.rows, self.schema_include)?;
        let column = |name: &str| {
            let found = columns.iter().find(|(n, _)| n == name).map(|(_, array)| array);
            found.ok_or_else(|| Error::bug(format!("an event without column '{name}'")))
        };
        let sides = [column("before")?.as_struct(), column("after")?.as_struct()];
        let ops = column("op")?;
        let mut failed = vec![];
        let mut metadata = vec![];
        for meta in &self.metadata {
            let (array, bad) = meta.column(column(meta.field().0)?)?;
            metadata.push(array);
            failed.extend(bad);
        }
        let mut picked = Picked::default();
        let mut rejected = decoded.rejected;
        for (event, record) in decoded.records.iter().enumerate() {
            let outcome = match failed.iter().find(|(row, _)| *row == event) {
                Some((_, reason)) => Err(reason.clone()),
                None => self.pick(sides, ops, event, *record, &mut picked),
            };
            if let Err(reason) = outcome
                && !self.ignore_parse_errors
            {
                rejected.push(Rejected { record: *record, reason });
            }
        }
        rejected.sort_by_key(|r| r.record);
        let mut arrays = self.rows(sides, &picked)?;
        let events = arrow::array::UInt32Array::from_iter_values(picked.rows.iter().map(|(_, event)| *event as u32));
        for array in &metadata {
            arrays.push(take(array, &events, None).map_err(arrow_bug)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(picked.rows.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).map_err(arrow_bug)?;
        Ok(Decoded { rows, kinds: Some(picked.kinds), records: picked.records, rejected })
    }
}

struct EventEncoder {
    rows: RowWriter,
}

impl Encoder for EventEncoder {
    fn encode(&mut self, batch: &ChangeBatch, out: &mut EncodedRecords) -> Result<()> {
        let skips_nulls = self.rows.skips_nulls();
        for row in 0..batch.num_rows() {
            let adds = batch.kind(row).adds();
            let (head, tail): (&[u8], &[u8]) = match (adds, skips_nulls) {
                (true, false) => (b"{\"before\":null,\"after\":", b",\"op\":\"c\"}"),
                (true, true) => (b"{\"after\":", b",\"op\":\"c\"}"),
                (false, false) => (b"{\"before\":", b",\"after\":null,\"op\":\"d\"}"),
                (false, true) => (b"{\"before\":", b",\"op\":\"d\"}"),
            };
            out.data.extend_from_slice(head);
            self.rows.write(batch.rows().columns(), row, &mut out.data)?;
            out.data.extend_from_slice(tail);
            out.ends.push(out.data.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::conformance::{Lines, context, table};
    use crate::format::json::raw_records;
    use crate::sink::print::RowLines;

    fn columns() -> [(&'static str, LogicalType); 2] {
        [("id", TypeKind::Int.nullable()), ("s", TypeKind::STRING.nullable())]
    }

    /// Lines of the rows and reasons of the rejects.
    fn decode(options: &[(&str, &str)], metadata: &[&str], records: &[&str]) -> (Vec<String>, Vec<String>) {
        let table = table(&columns(), options);
        let cx = context(&Arc::new(Lines::default()));
        let schema = table.physical_schema();
        let mut decoder = DebeziumJson.decoder_with_metadata(&table, &schema, metadata, &cx).expect("a decoder");
        let bytes: Vec<&[u8]> = records.iter().map(|r| r.as_bytes()).collect();
        let decoded = decoder.decode(&raw_records(&bytes)).expect("decodes");
        assert_eq!(decoded.records.len(), decoded.rows.num_rows());
        let types = schema
            .types()
            .cloned()
            .chain(metadata.iter().map(|key| META.iter().find(|(name, _)| name == key).expect("known").1.ty()));
        let mut text = String::new();
        let batch = ChangeBatch::new(decoded.rows, decoded.kinds.expect("kinds"));
        RowLines::new(types.collect(), String::new()).write(&batch, &mut text);
        let reasons = decoded.rejected.into_iter().map(|r| format!("{}: {}", r.record, r.reason)).collect();
        (text.lines().map(str::to_string).collect(), reasons)
    }

    #[test]
    fn operations_are_row_kinds() {
        let records = [
            r#"{"before":null,"after":{"id":1,"s":"a"},"op":"c"}"#,
            r#"{"op":"r","after":{"s":"b","id":2,"x":[1]},"source":{"db":"d"}}"#,
            r#"{"before":{"id":1,"s":"a"},"after":{"id":1,"s":null},"op":"u"}"#,
            r#"{"before":{"id":2},"after":null,"op":"d"}"#,
            "",
        ];
        let (lines, reasons) = decode(&[], &[], &records);
        assert_eq!(lines, ["+I[1, a]", "+I[2, b]", "-U[1, a]", "+U[1, null]", "-D[2, null]"]);
        assert_eq!(reasons, [""; 0]);
        let (lines, _) = decode(&[], &[], &records[..2]);
        assert_eq!(lines, ["+I[1, a]", "+I[2, b]"], "the columns as they are");
    }

    #[test]
    fn what_is_no_event_is_rejected_or_passed_over() {
        let records = [
            r#"{"before":null,"after":null,"op":"c"}"#,
            r#"{"after":{"id":1},"op":"u"}"#,
            r#"{"after":{"id":1},"op":"d"}"#,
            r#"{"after":{"id":1},"op":"x"}"#,
            r#"{"after":{"id":1}}"#,
            r#"[{"after":{"id":6},"op":"c"}]"#,
            r#"{"after":{"id":"one"},"op":"c"}"#,
            r#"{"after":{"id":7},"op":"c"}"#,
            "no",
        ];
        let (lines, reasons) = decode(&[], &[], &records);
        assert_eq!(lines, ["+I[6, null]", "+I[7, null]"]);
        let starts = [
            "0: field 'after' of an insert is null",
            "1: field 'before' of an update is null: the table's replica identity must be FULL",
            "2: field 'before' of a delete",
            "3: field 'op': expected c, r, u or d, found \"x\"",
            "4: field 'op' is missing",
            "6: field 'after.id': expected INT, found \"one\"",
            "8: invalid JSON",
        ];
        assert_eq!(reasons.len(), starts.len(), "{reasons:?}");
        reasons.iter().zip(starts).for_each(|(r, s)| assert!(r.starts_with(s), "{r} is not {s}"));
        let (lines, reasons) = decode(&[("debezium-json.ignore-parse-errors", "true")], &[], &records);
        assert_eq!(
            (lines.as_slice(), reasons.len()),
            (["+I[6, null]", "+I[null, null]", "+I[7, null]"].map(String::from).as_slice(), 0)
        );
    }

    #[test]
    fn metadata_and_schema() {
        let keys: Vec<&str> = META.iter().map(|(key, _)| *key).collect();
        let source = r#""source":{"db":"d","schema":"s","table":"t","ts_ms":5},"ts_ms":1000"#;
        let event = format!(r#"{{"before":{{"id":1}},"after":{{"id":2}},{source},"op":"u"}}"#);
        let (lines, reasons) = decode(&[], &keys, &[&event, r#"{"after":{"id":3},"op":"c"}"#]);
        let rest = "null, 1970-01-01T00:00:01Z, 1970-01-01T00:00:00.005Z, d, s, t, {schema=s, db=d, table=t, ts_ms=5}]";
        let expected = [
            format!("-U[1, null, {rest}"),
            format!("+U[2, null, {rest}"),
            "+I[3, null, null, null, null, null, null, null, null]".to_string(),
        ];
        assert_eq!(reasons, [""; 0]);
        let sorted = |line: &String| {
            let mut parts: Vec<String> = line.split([',', '{', '}']).map(|p| p.trim().to_string()).collect();
            parts.sort();
            parts
        };
        assert_eq!(lines.iter().map(sorted).collect::<Vec<_>>(), expected.iter().map(sorted).collect::<Vec<_>>());
        let wrapped = format!(r#"{{"schema":{{"type":"struct"}},"payload":{event}}}"#);
        let options = [("debezium-json.schema-include", "true")];
        let (lines, _) = decode(&options, &["schema", "source.table"], &[&wrapped]);
        assert_eq!(lines, [r#"-U[1, null, {"type":"struct"}, t]"#, r#"+U[2, null, {"type":"struct"}, t]"#]);
        let (lines, reasons) = decode(&options, &[], &[r#"{"payload":null}"#]);
        assert_eq!((lines.len(), reasons.as_slice()), (0, ["0: field 'op' is missing".to_string()].as_slice()));
        let (lines, reasons) = decode(&[], &["source.timestamp"], &[r#"{"after":{},"source":{"ts_ms":"x"},"op":"c"}"#]);
        assert!(lines.is_empty() && reasons[0].contains("source.ts_ms"), "{reasons:?}");
    }

    #[test]
    fn written_rows_are_inserts_and_deletes() {
        let table = table(&columns(), &[]);
        let cx = context(&Arc::new(Lines::default()));
        let schema = table.physical_schema();
        let records = [r#"{"before":{"id":1,"s":"a"},"after":{"id":1},"op":"u"}"#, r#"{"after":{"s":"c"},"op":"c"}"#];
        let bytes: Vec<&[u8]> = records.iter().map(|r| r.as_bytes()).collect();
        let mut decoder = DebeziumJson.decoder(&table, &schema, &cx).expect("a decoder");
        let decoded = decoder.decode(&raw_records(&bytes)).expect("decodes");
        let batch = ChangeBatch::new(decoded.rows, decoded.kinds.expect("kinds"));
        let mut out = EncodedRecords::default();
        DebeziumJson.encoder(&table, &schema, &cx).expect("an encoder").encode(&batch, &mut out).expect("encodes");
        let expected = [
            r#"{"before":{"id":1,"s":"a"},"after":null,"op":"d"}"#,
            r#"{"before":null,"after":{"id":1,"s":null},"op":"c"}"#,
            r#"{"before":null,"after":{"id":null,"s":"c"},"op":"c"}"#,
        ];
        assert_eq!(String::from_utf8(out.data).expect("text"), expected.concat());
        assert_eq!(out.ends.len(), 3);
        let with_schema = crate::conformance::table(&columns(), &[("debezium-json.schema-include", "true")]);
        assert!(DebeziumJson.encoder(&with_schema, &schema, &cx).is_err());
    }
}
