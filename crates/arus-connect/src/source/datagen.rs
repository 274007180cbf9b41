//! `'connector' = 'datagen'`: generated rows, with Flink's options.
//!
//! A row is a pure function of the seed, its number and the time at which the source first started, so that a
//! restored source gives the same rows again. A position is `row:start`, with the number of the next row and that
//! time in milliseconds. What asks for the current time gets the one at which the row was due.

mod generate;

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arus_core::catalog::TableDef;
use arus_core::change::arrow_bug;
use arus_core::clock::SharedClock;
use arus_core::connector::{
    ConnectContext, Connector, OptionDef, OptionKind, PollLimit, Polled, Position, Source, SourceReader, Split,
};
use arus_core::text::Zone;
use arus_core::{Error, Result};

use crate::options::Options;
use generate::{Field, Rows};

pub(crate) struct Datagen;

const ROWS_PER_SECOND: &str = "rows-per-second";
const NUMBER_OF_ROWS: &str = "number-of-rows";

const OPTIONS: &[OptionDef] = &[
    OptionDef::new(ROWS_PER_SECOND, OptionKind::Integer, "rows in a second").default_to("10000"),
    OptionDef::new(NUMBER_OF_ROWS, OptionKind::Integer, "rows in all; without it the source does not end"),
    OptionDef::new("fields.#.kind", OptionKind::Choice(&["random", "sequence"]), "how the field is generated"),
    OptionDef::new("fields.#.min", OptionKind::Number, "least value of a random number"),
    OptionDef::new("fields.#.max", OptionKind::Number, "greatest value of a random number"),
    OptionDef::new("fields.#.max-past", OptionKind::Duration, "how far a random timestamp may lie in the past"),
    OptionDef::new("fields.#.start", OptionKind::Integer, "first value of a sequence"),
    OptionDef::new("fields.#.end", OptionKind::Integer, "last value of a sequence; the source ends with it"),
    OptionDef::new("fields.#.length", OptionKind::Integer, "characters, bytes or elements"),
    OptionDef::new("fields.#.null-rate", OptionKind::Number, "share of NULLs, 0 to 1"),
    OptionDef::new("fields.#.var-len", OptionKind::Boolean, "lengths vary up to the length"),
    OptionDef::new("scan.parallelism", OptionKind::Integer, "accepted; there is one generator"),
];

impl Connector for Datagen {
    fn name(&self) -> &'static str {
        "datagen"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn is_source(&self) -> bool {
        true
    }

    fn source(&self, table: &TableDef, cx: &ConnectContext) -> Result<Arc<dyn Source>> {
        let options = Options::of(table, OPTIONS);
        let whole = |name| -> Result<Option<u64>> {
            options
                .text(name)
                .map(|t| t.trim().parse().map_err(|_| options.wrong(name, "an integer of 0 or more", t)))
                .transpose()
        };
        let per_second = whole(ROWS_PER_SECOND)?.unwrap_or(10_000);
        if per_second == 0 {
            return Err(options.wrong(ROWS_PER_SECOND, "at least 1", "0"));
        }
        let physical = table.physical_schema();
        let fields: Result<Vec<Field>> =
            physical.columns().iter().map(|c| Field::top(&options, &c.name, &c.ty, cx.seed)).collect();
        let fields = fields?;
        // The shortest sequence ends the source.
        let rows = fields.iter().filter_map(Field::rows).chain(whole(NUMBER_OF_ROWS)?).min();
        Ok(Arc::new(Generated {
            clock: cx.clock.clone(),
            zone: Zone::parse(&cx.time_zone)?,
            schema: physical.to_arrow(),
            fields: Arc::new(fields),
            per_second,
            rows,
        }))
    }
}

struct Generated {
    clock: SharedClock,
    zone: Zone,
    schema: SchemaRef,
    fields: Arc<Vec<Field>>,
    per_second: u64,
    rows: Option<u64>,
}

impl Source for Generated {
    fn bounded(&self) -> bool {
        self.rows.is_some()
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        Ok(if known.is_empty() { vec![Split { id: "rows".into() }] } else { vec![] })
    }

    fn open(&self, _split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        let now_ms = self.clock.now_ms();
        let (row, start_ms) = match position {
            None => (0, now_ms),
            Some(Position(text)) => text
                .split_once(':')
                .and_then(|(row, start)| Some((row.parse().ok()?, start.parse().ok()?)))
                .ok_or_else(|| Error::bug(format!("datagen: no position: '{text}'")))?,
        };
        Ok(Box::new(RowReader {
            clock: self.clock.clone(),
            zone: self.zone,
            schema: self.schema.clone(),
            fields: self.fields.clone(),
            per_second: self.per_second,
            rows: self.rows,
            row,
            start_ms,
            opened_ns: self.clock.monotonic_ns(),
            opened_at_row: row,
        }))
    }
}

struct RowReader {
    clock: SharedClock,
    zone: Zone,
    schema: SchemaRef,
    fields: Arc<Vec<Field>>,
    per_second: u64,
    rows: Option<u64>,
    /// The next row.
    row: u64,
    start_ms: i64,
    opened_ns: u64,
    opened_at_row: u64,
}

impl SourceReader for RowReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        if self.rows.is_some_and(|rows| self.row >= rows) {
            return Ok(Polled::End);
        }
        let elapsed_ns = self.clock.monotonic_ns().saturating_sub(self.opened_ns);
        let due = u128::from(elapsed_ns) * u128::from(self.per_second) / 1_000_000_000 + 1;
        let due = self.opened_at_row.saturating_add(u64::try_from(due).unwrap_or(u64::MAX));
        let end = due.min(self.rows.unwrap_or(u64::MAX)).min(self.row + limit.rows.max(1) as u64);
        if end <= self.row {
            return Ok(Polled::Idle);
        }
        let rows = Rows {
            ids: (self.row..end).collect(),
            due_ms: (self.row..end)
                .map(|row| self.start_ms + (u128::from(row) * 1_000 / u128::from(self.per_second)) as i64)
                .collect(),
            zone: &self.zone,
        };
        let columns = self.fields.iter().map(|f| f.array(&rows)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.ids.len()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(arrow_bug)?;
        self.row = end;
        Ok(Polled::Rows(batch))
    }

    fn position(&self) -> Position {
        Position(format!("{}:{}", self.row, self.start_ms))
    }
}

#[cfg(test)]
mod tests;
