//! SET keys: Flink's and ours.

mod flink;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

pub use flink::{FlinkKey, ValueKind, flink_keys, parse_memory_bytes};

/// A session's settings. Every Flink key is accepted; only the known ones have an effect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings(BTreeMap<String, String>);

/// What a SET key does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It has its effect.
    Effective,
    /// Flink has it; here it changes nothing, and the answer says so.
    Noted,
}

pub struct Key {
    pub name: &'static str,
    pub default: &'static str,
    pub effect: Effect,
    pub about: &'static str,
}

const fn on(name: &'static str, default: &'static str, about: &'static str) -> Key {
    Key { name, default, effect: Effect::Effective, about }
}

const fn noted(name: &'static str, default: &'static str, about: &'static str) -> Key {
    Key { name, default, effect: Effect::Noted, about }
}

pub const LOCAL_TIME_ZONE: &str = "table.local-time-zone";
pub const DML_SYNC: &str = "table.dml-sync";
pub const IDLE_TIMEOUT: &str = "table.exec.source.idle-timeout";
pub const STATE_TTL: &str = "table.exec.state.ttl";
pub const CHECKPOINT_INTERVAL: &str = "execution.checkpointing.interval";
pub const PIPELINE_NAME: &str = "pipeline.name";
pub const PARALLELISM: &str = "parallelism.default";
pub const DEFAULT_PARALLELISM: &str = "table.exec.resource.default-parallelism";
pub const RUNTIME_MODE: &str = "execution.runtime-mode";
pub const ERROR_POLICY: &str = "arus.exec.error-policy";
pub const CHANGELOG_COMPACTION: &str = "arus.changelog.compaction";
pub const DIALECT: &str = "arus.dialect";
pub const VISIBILITY: &str = "arus.visibility";
pub const NOT_NULL_ENFORCER: &str = "table.exec.sink.not-null-enforcer";
pub const UPSERT_MATERIALIZE: &str = "table.exec.sink.upsert-materialize";
pub const REQUIRE_ON_CONFLICT: &str = "table.exec.sink.require-on-conflict";
pub const TYPE_LENGTH_ENFORCER: &str = "table.exec.sink.type-length-enforcer";
pub const CDC_EVENTS_DUPLICATE: &str = "table.exec.source.cdc-events-duplicate";
pub const EPOCH_INTERVAL: &str = "arus.epoch.interval";
pub const OUTBOX_BYTES: &str = "arus.outbox.bytes";
pub const READ_DAMAGE: &str = "arus.read.damage";
/// What USE sets; it is kept with a pipeline, so that its names mean the same after a restart.
pub const CATALOG: &str = "arus.catalog";
pub const DATABASE: &str = "arus.database";

/// By name. Keys of DIALECT.md section G.
pub const KEYS: &[Key] = &[
    on(CATALOG, "default_catalog", "the current catalog: USE CATALOG sets it"),
    on(DATABASE, "default_database", "the current database: USE sets it"),
    on(CHANGELOG_COMPACTION, "batch", "batch: one -U/+U pair a touched key and batch; off: Flink's every step"),
    on(DIALECT, "auto", "auto, flink or postgresql: the language of a plain SELECT on this connection"),
    on(EPOCH_INTERVAL, "auto", "auto, or a time between epochs"),
    on(ERROR_POLICY, "quarantine", "quarantine: a failing row is set aside; fail: the pipeline stops, as in Flink"),
    on(OUTBOX_BYTES, "256 mb", "what the sinks of a pipeline have not taken; beyond it the pipeline's sources wait"),
    on(READ_DAMAGE, "fail", "fail: a SELECT that meets damaged records names them; skip: it reads on behind them"),
    noted(VISIBILITY, "epoch", "keyed tables show epochs, topics checkpoints"),
    noted(CHECKPOINT_INTERVAL, "1 s", "one checkpoint a second for all pipelines together"),
    noted("execution.checkpointing.incremental", "false", "only changes are written"),
    noted("execution.checkpointing.min-pause", "0 ms", "a checkpoint begins when the one before has ended"),
    noted("execution.checkpointing.mode", "EXACTLY_ONCE", "always exactly once"),
    noted("execution.checkpointing.timeout", "10 min", "a checkpoint is written by one process and has no timeout"),
    noted(
        "execution.checkpointing.tolerable-failed-checkpoints",
        "0",
        "one that fails is left out, the next has its changes",
    ),
    noted("execution.checkpointing.unaligned.enabled", "false", "barriers are aligned"),
    on(RUNTIME_MODE, "streaming", "streaming; batch is refused"),
    on(PARALLELISM, "1", "tasks of the next pipeline, 1 to 128; on the server as many as cores unless set"),
    noted("pipeline.auto-watermark-interval", "0 ms", "a watermark after every row"),
    on(PIPELINE_NAME, "", "the name of the next pipeline"),
    noted("pipeline.watermark-alignment.buffer-size", "3", "splits are not aligned"),
    noted("sql-client.execution.result-mode", "table", "rows are shown as they come"),
    noted("state.backend.type", "hashmap", "state is in memory, its changes in a file of each checkpoint"),
    on(DML_SYNC, "false", "whether INSERT waits for its end"),
    noted("table.exec.async-lookup.buffer-capacity", "100", "there are no lookup joins yet"),
    noted("table.exec.async-lookup.output-mode", "ORDERED", "there are no lookup joins yet"),
    noted("table.exec.async-lookup.timeout", "3 min", "there are no lookup joins yet"),
    noted("table.exec.deduplicate.insert-update-after-sensitive-enabled", "true", "there is no deduplication yet"),
    noted("table.exec.interval-join.min-cleanup-interval", "0 ms", "there are no interval joins yet"),
    noted(
        "table.exec.mini-batch.allow-latency",
        "0 ms",
        "rows are worked on by the batch anyway; arus.changelog.compaction says how much is told",
    ),
    noted(
        "table.exec.mini-batch.enabled",
        "false",
        "rows are worked on by the batch anyway; arus.changelog.compaction says how much is told",
    ),
    noted(
        "table.exec.mini-batch.size",
        "-1",
        "rows are worked on by the batch anyway; arus.changelog.compaction says how much is told",
    ),
    noted("table.exec.rank.topn-cache-size", "10000", "the rows of a rank are in memory"),
    on(DEFAULT_PARALLELISM, "-1", "tasks of a pipeline, before parallelism.default; -1 is that"),
    noted("table.exec.sink.keyed-shuffle", "AUTO", "rows of one key go to one task anyway"),
    on(
        NOT_NULL_ENFORCER,
        "ERROR",
        "ERROR: a NULL for a NOT NULL column of a sink is an error; DROP: its row is left out",
    ),
    on(REQUIRE_ON_CONFLICT, "true", "whether a query by another key than the sink's must say ON CONFLICT"),
    on(
        TYPE_LENGTH_ENFORCER,
        "IGNORE",
        "TRIM_PAD cuts and fills texts and bytes of a sink to their length, ERROR refuses them, IGNORE lets them be",
    ),
    on(
        UPSERT_MATERIALIZE,
        "AUTO",
        "AUTO, FORCE, NONE: whether a sink keeps all rows of a primary key to give the newest",
    ),
    on(CDC_EVENTS_DUPLICATE, "false", "true: changes of a source may come twice, its primary key tells them apart"),
    on(IDLE_TIMEOUT, "0 ms", "a split without a row for so long no longer holds the watermark; 0 is off"),
    on(STATE_TTL, "0 ms", "state untouched for so long is dropped; 0 is never"),
    noted("table.exec.uid.generation", "PLAN_ONLY", "state is named by what it holds"),
    on(LOCAL_TIME_ZONE, "default", "the session's time zone; `default` is the machine's"),
    noted("table.optimizer.agg-phase-strategy", "AUTO", "rows are worked on by the batch, so that there is one phase"),
    noted("table.optimizer.distinct-agg.split.bucket-num", "1024", "a distinct set is not split"),
    noted("table.optimizer.distinct-agg.split.enabled", "false", "a distinct set is not split"),
    noted("table.optimizer.non-deterministic-update.strategy", "IGNORE", "always IGNORE"),
];

/// Prefixes of Flink's own keys: accepted in silence beyond [`KEYS`].
pub const FLINK_PREFIXES: &[&str] = &[
    "blob.",
    "classloader.",
    "client.",
    "cluster.",
    "env.",
    "execution.",
    "fs.",
    "heartbeat.",
    "high-availability.",
    "jobmanager.",
    "metrics.",
    "parallelism.",
    "pipeline.",
    "python.",
    "queryable-state.",
    "rest.",
    "restart-strategy.",
    "s3.",
    "security.",
    "slot",
    "sql-client.",
    "state.",
    "table.",
    "taskmanager.",
    "web.",
    "yarn.",
    "kubernetes.",
];

pub fn find_key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.name == name)
}

impl Settings {
    pub fn get(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(value) => value,
            None => find_key(name).map_or("", |k| k.default),
        }
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    pub fn reset(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// As in Flink the current catalog and database stay.
    pub fn reset_all(&mut self) {
        self.0.retain(|key, _| key == CATALOG || key == DATABASE);
    }

    /// What was set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    pub fn duration_ms(&self, name: &str) -> Result<i64> {
        parse_duration_ms(self.get(name)).map_err(|e| e.in_context(format!("setting '{name}'")))
    }

    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name).to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(Error::user(format!("setting '{name}': expected true or false, found '{other}'"))
                .with_code(Code::InvalidValue)),
        }
    }
}

/// Flink's durations: `10 s`, `500ms`, `1 min`, `7 d`; a bare number is milliseconds.
pub fn parse_duration_ms(text: &str) -> Result<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let wrong = || {
        Error::user(format!("expected a duration, found '{text}'"))
            .with_code(Code::InvalidValue)
            .with_hint("write a number and a unit, such as '10 s', '5 min', '7 d'")
    };
    let number: i64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => return Ok(number / 1_000_000),
        "us" | "µs" | "micro" | "micros" | "microsecond" | "microseconds" => return Ok(number / 1_000),
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_flinks() {
        for (text, ms) in [("10 s", 10_000), ("500ms", 500), ("1 min", 60_000), ("7 d", 604_800_000), ("42", 42)] {
            assert_eq!(parse_duration_ms(text).expect(text), ms);
        }
        for text in ["", "s", "10 fortnights", "99999999999999999 d"] {
            assert!(parse_duration_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_are_unique() {
        let mut names: Vec<_> = KEYS.iter().map(|k| k.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
    }
}
