//! The system tables (`arus.*`): what the console shows, as tables that anybody can query.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMillisecondArray,
};
use arus_core::catalog::{ObjectPath, SYSTEM_DATABASE};
use arus_core::change::arrow_bug;
use arus_core::read::{BatchIterator, ReadTable, ReadTableKind};
use arus_core::types::{TimeAttribute, TypeKind};
use arus_core::{Column, Datum, Result, RowSchema};

pub(crate) struct SystemTable {
    pub(crate) name: &'static str,
    columns: &'static [(&'static str, Kind)],
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Int,
    BigInt,
    Double,
    Boolean,
    Instant,
}

use Kind::{BigInt, Boolean, Double, Instant, Int, Text};

pub(crate) const EPOCHS: SystemTable =
    SystemTable { name: "epochs", columns: &[("incarnation", BigInt), ("epoch", BigInt), ("durable", Boolean)] };

pub(crate) const POSITIONS: SystemTable = SystemTable {
    name: "positions",
    columns: &[("table", Text), ("partition", Int), ("offset", BigInt), ("pipeline", Text)],
};

pub(crate) const TABLES: SystemTable = SystemTable {
    name: "tables",
    columns: &[
        ("name", Text),
        ("database", Text),
        ("kind", Text),
        ("connector", Text),
        ("format", Text),
        ("columns", Text),
        ("rows_total", BigInt),
        ("bytes", BigInt),
        ("rows_per_s", Double),
        ("newest", Instant),
        ("watermark", Instant),
        ("written_by", Text),
        ("read_by", Text),
        ("late_rows", BigInt),
        ("quarantined_rows", BigInt),
        ("ddl", Text),
    ],
};

pub(crate) const PIPELINES: SystemTable = SystemTable {
    name: "pipelines",
    columns: &[
        ("id", Text),
        ("name", Text),
        ("kind", Text),
        ("state", Text),
        ("reason", Text),
        ("sql", Text),
        ("target", Text),
        ("sources", Text),
        ("started", Instant),
        ("rows_in_per_s", Double),
        ("rows_out_per_s", Double),
        ("busy", Double),
        ("behind_ms", BigInt),
        ("backlog_rows", BigInt),
        ("watermark", Instant),
        ("state_bytes", BigInt),
        ("catching_up", Boolean),
    ],
};

pub(crate) const OPERATORS: SystemTable = SystemTable {
    name: "operators",
    columns: &[
        ("pipeline", Text),
        ("id", Int),
        ("name", Text),
        ("kind", Text),
        ("detail", Text),
        ("inputs", Text),
        ("rows_in", BigInt),
        ("rows_out", BigInt),
        ("rows_in_per_s", Double),
        ("rows_out_per_s", Double),
        ("backlog_rows", BigInt),
        ("watermark", Instant),
        ("state_bytes", BigInt),
        ("busy", Double),
    ],
};

pub(crate) const SETTINGS: SystemTable =
    SystemTable { name: "settings", columns: &[("key", Text), ("value", Text), ("source", Text)] };

/// Sinks whose rows go by an outbox.
pub(crate) const SINKS: SystemTable = SystemTable {
    name: "sinks",
    columns: &[
        ("pipeline", Text),
        ("name", Text),
        ("table", Text),
        ("state", Text),
        ("sources_wait", Boolean),
        ("delivered_incarnation", BigInt),
        ("delivered_epoch", BigInt),
        ("delivered_rows", BigInt),
        ("rejected_rows", BigInt),
        ("undelivered_checkpoints", BigInt),
        ("undelivered_rows", BigInt),
        ("undelivered_bytes", BigInt),
        ("failures", BigInt),
        ("last_error", Text),
        ("last_delivery", Instant),
    ],
};

pub(crate) const DISK: SystemTable = SystemTable {
    name: "disk",
    columns: &[
        ("state", Text),
        ("used_bytes", BigInt),
        ("limit_bytes", BigInt),
        ("free_bytes", BigInt),
        ("free_bytes_kept", BigInt),
        ("refused_requests", BigInt),
        ("reason", Text),
    ],
};

pub(crate) const DAMAGES: SystemTable = SystemTable {
    name: "damages",
    columns: &[
        ("table", Text),
        ("partition", Int),
        ("file", Text),
        ("position", BigInt),
        ("first_offset", BigInt),
        ("next_offset", BigInt),
        ("reason", Text),
    ],
};

pub(crate) const ALERTS: SystemTable = SystemTable {
    name: "alerts",
    columns: &[
        ("name", Text),
        ("database", Text),
        ("severity", Text),
        ("state", Text),
        ("firing", BigInt),
        ("since", Instant),
        ("silenced", Boolean),
        ("silenced_until", Instant),
        ("query", Text),
        ("key", Text),
        ("resolve_after_ms", BigInt),
        ("no_data_after_ms", BigInt),
        ("repeat_ms", BigInt),
        ("runbook", Text),
        ("notify", Text),
        ("pipeline", Text),
        ("reason", Text),
        ("waiting", BigInt),
        ("delivered", BigInt),
        ("dropped", BigInt),
        ("failures", BigInt),
        ("last_error", Text),
        ("fired", BigInt),
        ("left_out", BigInt),
        ("last_event", Text),
        ("last_event_at", Instant),
        ("ddl", Text),
    ],
};

/// What fires now.
pub(crate) const ALERT_CASES: SystemTable = SystemTable {
    name: "alert_cases",
    columns: &[
        ("alert", Text),
        ("severity", Text),
        ("state", Text),
        ("key", Text),
        ("summary", Text),
        ("since", Instant),
        ("changed", Instant),
        ("told", Instant),
        ("silenced", Boolean),
        ("event_id", Text),
        ("runbook", Text),
        ("row", Text),
    ],
};

pub(crate) const ALERT_EVENTS: SystemTable = SystemTable {
    name: "alert_events",
    columns: &[
        ("id", Text),
        ("alert", Text),
        ("at", Instant),
        ("event", Text),
        ("severity", Text),
        ("key", Text),
        ("summary", Text),
        ("since", Instant),
        ("silenced", Boolean),
        ("row", Text),
    ],
};

pub(crate) const ALL: &[&SystemTable] = &[
    &ALERTS,
    &ALERT_CASES,
    &ALERT_EVENTS,
    &DAMAGES,
    &DISK,
    &EPOCHS,
    &OPERATORS,
    &PIPELINES,
    &POSITIONS,
    &SETTINGS,
    &SINKS,
    &TABLES,
];

impl SystemTable {
    fn schema(&self) -> RowSchema {
        self.columns.iter().map(|(name, kind)| Column { name: (*name).into(), ty: kind.logical().nullable() }).collect()
    }

    /// `rows` in the order of the columns; [`Datum::Null`] anywhere.
    pub(crate) fn table(&self, rows: &[Vec<Datum>]) -> Result<Arc<dyn ReadTable>> {
        let schema = self.schema();
        let columns: Vec<ArrayRef> =
            self.columns.iter().enumerate().map(|(i, (_, kind))| kind.array(rows.iter().map(|r| &r[i]))).collect();
        let batch = RecordBatch::try_new(schema.to_arrow(), columns).map_err(arrow_bug)?;
        Ok(Arc::new(Rows { path: ObjectPath::new(SYSTEM_DATABASE, self.name), schema, batch }))
    }
}

impl Kind {
    fn logical(self) -> TypeKind {
        match self {
            Text => TypeKind::STRING,
            Int => TypeKind::Int,
            BigInt => TypeKind::BigInt,
            Double => TypeKind::Double,
            Boolean => TypeKind::Boolean,
            Instant => TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None },
        }
    }

    fn array<'a>(self, values: impl Iterator<Item = &'a Datum>) -> ArrayRef {
        match self {
            Text => Arc::new(
                values
                    .map(|v| match v {
                        Datum::String(s) => Some(s.as_str()),
                        _ => None,
                    })
                    .collect::<StringViewArray>(),
            ),
            Int => Arc::new(values.map(|v| integer(v).map(|n| n as i32)).collect::<Int32Array>()),
            BigInt => Arc::new(values.map(integer).collect::<Int64Array>()),
            Double => Arc::new(
                values
                    .map(|v| match v {
                        Datum::Double(n) => Some(*n),
                        _ => None,
                    })
                    .collect::<Float64Array>(),
            ),
            Boolean => Arc::new(
                values
                    .map(|v| match v {
                        Datum::Boolean(b) => Some(*b),
                        _ => None,
                    })
                    .collect::<BooleanArray>(),
            ),
            Instant => Arc::new(values.map(integer).collect::<TimestampMillisecondArray>().with_timezone("UTC")),
        }
    }
}

fn integer(value: &Datum) -> Option<i64> {
    match value {
        Datum::Int(n) => Some(i64::from(*n)),
        Datum::BigInt(n) | Datum::Timestamp(n) => Some(*n),
        _ => None,
    }
}

/// Text, or NULL where there is none.
pub(crate) fn text(value: impl Into<String>) -> Datum {
    Datum::String(value.into())
}

pub(crate) fn optional_text(value: Option<impl Into<String>>) -> Datum {
    value.map_or(Datum::Null, text)
}

pub(crate) fn big(value: u64) -> Datum {
    Datum::BigInt(i64::try_from(value).unwrap_or(i64::MAX))
}

/// An instant in ms; `None` and the watermarks before and after all time are NULL.
pub(crate) fn instant(ms: Option<i64>) -> Datum {
    ms.filter(|ms| (-8_000_000_000_000_000..8_000_000_000_000_000).contains(ms)).map_or(Datum::Null, Datum::Timestamp)
}

/// A table that is one batch.
struct Rows {
    path: ObjectPath,
    schema: RowSchema,
    batch: RecordBatch,
}

impl ReadTable for Rows {
    fn path(&self) -> &ObjectPath {
        &self.path
    }

    fn kind(&self) -> ReadTableKind {
        ReadTableKind::System
    }

    fn schema(&self) -> &RowSchema {
        &self.schema
    }

    fn primary_key(&self) -> &[usize] {
        &[]
    }

    fn scan(&self, projection: &[usize], _limit: Option<usize>) -> Result<BatchIterator> {
        let batch = self.batch.project(projection).map_err(arrow_bug)?;
        Ok(Box::new(std::iter::once(Ok(batch))))
    }

    fn rows(&self) -> Option<u64> {
        Some(self.batch.num_rows() as u64)
    }
}
