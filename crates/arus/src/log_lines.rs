//! The log as lines of JSON, for programs that collect it: `{"time","level","message",..}`.

use std::fmt;

use arus_core::clock::{Clock, SystemClock};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

pub(crate) struct JsonLines {
    clock: SystemClock,
}

impl JsonLines {
    pub(crate) fn new() -> Self {
        JsonLines { clock: SystemClock::new() }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _cx: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields(Map::new());
        let mut time = String::new();
        arus_core::text::write_timestamp_iso(&mut time, self.clock.now_ms(), 3);
        fields.0.insert("time".into(), json!(format!("{time}Z")));
        fields.0.insert("level".into(), json!(event.metadata().level().as_str().to_ascii_lowercase()));
        fields.0.insert("part".into(), json!(event.metadata().target()));
        event.record(&mut fields);
        writeln!(out, "{}", Value::Object(fields.0))
    }
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), json!(value));
    }
}
