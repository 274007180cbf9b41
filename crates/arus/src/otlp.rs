//! Traces by OTLP: spans of the target `arus::trace` go to a collector as JSON over HTTP, in batches, by a thread of its own.
//! Whatever the collector does harms nothing else: a full queue drops spans, an answer is waited for a few seconds at most.

use std::fmt;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arus_core::clock::{Clock, SystemClock};
use arus_core::rng::Rng;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// What doors and the coordinator give their spans.
const TARGET: &str = "arus::trace";
/// Spans that wait for the exporter; more are dropped.
const QUEUE: usize = 4_096;
/// Spans of one request.
const BATCH: usize = 512;
/// A batch waits at most so long for more.
const BATCH_PAUSE: Duration = Duration::from_secs(1);
/// For a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// At the end of the process.
const FAREWELL: Duration = Duration::from_secs(2);
/// A collector that is away is told of this seldom.
const COMPLAINTS_MS: i64 = 60_000;

/// Where spans go: `http://host:port[/path]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    authority: String,
    path: String,
}

/// `http://localhost:4318`: the path is `/v1/traces` unless it is said.
pub(crate) fn parse_endpoint(text: &str) -> Result<Endpoint, String> {
    let expected = "expected http://HOST:PORT, such as http://127.0.0.1:4318";
    let rest = text.trim().strip_prefix("http://").ok_or_else(|| match text.starts_with("https://") {
        true => format!("{expected}: a collector on this machine speaks TLS to others"),
        false => expected.to_string(),
    })?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let port = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse().ok());
    if port.is_none_or(|port: u16| port == 0) {
        return Err(expected.into());
    }
    let path = if path.is_empty() { "/v1/traces".to_string() } else { format!("/{path}") };
    Ok(Endpoint { authority: authority.into(), path })
}

/// What of a span is known while it is open.
struct Open {
    trace: u128,
    id: u64,
    parent: Option<u64>,
    start_ns: u128,
    fields: Map<String, Value>,
}

/// A span that has ended, or the wish that all are sent.
enum Message {
    Span(Box<Value>),
    Flush(SyncSender<()>),
}

/// Takes spans from all threads.
pub(crate) struct Spans {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    rng: Mutex<Rng>,
    time: Time,
}

/// Sends what is left.
pub(crate) struct Farewell(SyncSender<Message>);

impl Farewell {
    pub(crate) fn send(self) {
        let (done, heard) = sync_channel(1);
        if self.0.send(Message::Flush(done)).is_ok() && heard.recv_timeout(FAREWELL).is_err() {
            tracing::debug!("the last spans were not sent");
        }
    }
}

/// Nanoseconds since 1970, which never go back.
#[derive(Clone, Copy)]
struct Time {
    clock: SystemClock,
    began_ns: u128,
}

impl Time {
    fn new() -> Self {
        let clock = SystemClock::new();
        let began_ns = u128::try_from(clock.now_ms()).unwrap_or(0) * 1_000_000;
        Time { clock, began_ns }
    }

    fn now_ns(&self) -> u128 {
        self.began_ns + u128::from(self.clock.monotonic_ns())
    }
}

pub(crate) fn start(endpoint: Endpoint) -> (Spans, Farewell) {
    let (queue, messages) = sync_channel(QUEUE);
    let dropped = Arc::new(AtomicU64::new(0));
    let exporter = Exporter { endpoint, dropped: dropped.clone(), clock: SystemClock::new(), complained_ms: None };
    let spawned = std::thread::Builder::new().name("arus-traces".into()).spawn(move || exporter.run(&messages));
    if let Err(e) = spawned {
        tracing::warn!("traces are not sent: {e}");
    }
    let spans = Spans { queue: queue.clone(), dropped, rng: Mutex::new(Rng::from_entropy()), time: Time::new() };
    (spans, Farewell(queue))
}

impl<S> Layer<S> for Spans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = span.parent().and_then(|p| p.extensions().get::<Open>().map(|open| (open.trace, open.id)));
        let (own, trace) = {
            let mut rng = self.rng.lock().expect("no holder of this lock panics");
            (rng.next_u64().max(1), ((u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64())).max(1))
        };
        let mut fields = Fields(Map::new());
        attributes.record(&mut fields);
        let open = Open {
            trace: parent.map_or(trace, |(trace, _)| trace),
            id: own,
            parent: parent.map(|(_, id)| id),
            start_ns: self.time.now_ns(),
            fields: fields.0,
        };
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>() else { return };
        let mut fields = Fields(std::mem::take(&mut open.fields));
        values.record(&mut fields);
        open.fields = fields.0;
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        let sent = self.queue.try_send(Message::Span(Box::new(ended(span.name(), open, self.time.now_ns()))));
        if sent.is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// A span as OTLP writes it in JSON.
fn ended(name: &str, mut open: Open, end_ns: u128) -> Value {
    let error = open.fields.remove("error");
    let attributes: Vec<Value> = open.fields.into_iter().map(|(key, value)| attribute(&key, &value)).collect();
    let mut span = json!({
        "traceId": format!("{:032x}", open.trace),
        "spanId": format!("{:016x}", open.id),
        "name": name,
        // SERVER where a client waits, INTERNAL else.
        "kind": if attributes.iter().any(|a| a["key"] == "door") { 2 } else { 1 },
        "startTimeUnixNano": open.start_ns.to_string(),
        "endTimeUnixNano": end_ns.to_string(),
        "attributes": attributes,
        "status": match &error {
            Some(error) => json!({"code": 2, "message": error}),
            None => json!({}),
        },
    });
    if let Some(parent) = open.parent {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    span
}

fn attribute(key: &str, value: &Value) -> Value {
    let value = match value {
        Value::Bool(b) => json!({"boolValue": b}),
        // 64-bit numbers are texts in this JSON.
        Value::Number(n) if n.is_f64() => json!({"doubleValue": n}),
        Value::Number(n) => json!({"intValue": n.to_string()}),
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"stringValue": other.to_string()}),
    };
    json!({"key": key, "value": value})
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

/// Whether these are spans for traces.
pub(crate) fn is_ours(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET && *metadata.level() == Level::TRACE
}

struct Exporter {
    endpoint: Endpoint,
    dropped: Arc<AtomicU64>,
    clock: SystemClock,
    complained_ms: Option<i64>,
}

impl Exporter {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut batch = vec![];
        loop {
            let mut flushed = None;
            match messages.recv_timeout(BATCH_PAUSE) {
                Ok(Message::Span(span)) => batch.push(*span),
                Ok(Message::Flush(done)) => flushed = Some(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // What is there already goes along.
            while batch.len() < BATCH && flushed.is_none() {
                match messages.try_recv() {
                    Ok(Message::Span(span)) => batch.push(*span),
                    Ok(Message::Flush(done)) => flushed = Some(done),
                    Err(_) => break,
                }
            }
            if !batch.is_empty() {
                self.export(std::mem::take(&mut batch));
            }
            if let Some(done) = flushed
                && done.send(()).is_err()
            {
                tracing::debug!("nobody waits for the last spans");
            }
        }
    }

    fn export(&mut self, spans: Vec<Value>) {
        let count = spans.len() as u64;
        let resource = [
            attribute("service.name", &json!("arus")),
            attribute("service.version", &json!(env!("CARGO_PKG_VERSION"))),
        ];
        let body = json!({"resourceSpans": [{
            "resource": {"attributes": resource},
            "scopeSpans": [{"scope": {"name": "arus"}, "spans": spans}],
        }]});
        let Err(reason) = self.post(&body.to_string()) else { return };
        let dropped = self.dropped.fetch_add(count, Relaxed) + count;
        let now_ms = self.clock.now_ms();
        if self.complained_ms.is_none_or(|last| now_ms - last >= COMPLAINTS_MS) {
            self.complained_ms = Some(now_ms);
            tracing::warn!(
                "--otlp-endpoint http://{}: {reason}; {dropped} spans were dropped",
                self.endpoint.authority
            );
        }
    }

    fn post(&self, body: &str) -> Result<(), String> {
        let Endpoint { authority, path } = &self.endpoint;
        let failed = |what: &str, e: std::io::Error| format!("{what}: {e}");
        let mut addresses = authority.to_socket_addrs().map_err(|e| failed("no such host", e))?;
        let address = addresses.next().ok_or("no such host")?;
        let mut socket = TcpStream::connect_timeout(&address, PATIENCE).map_err(|e| failed("cannot connect", e))?;
        let limited = socket.set_read_timeout(Some(PATIENCE)).and_then(|()| socket.set_write_timeout(Some(PATIENCE)));
        limited.map_err(|e| failed("no limit on the connection", e))?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: arus/{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            env!("CARGO_PKG_VERSION"),
            body.len()
        );
        let sent = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes()));
        sent.map_err(|e| failed("the connection broke off", e))?;
        let mut answer = [0; 64];
        let mut length = 0;
        while length < 12 {
            match socket.read(&mut answer[length..]).map_err(|e| failed("no answer", e))? {
                0 => break,
                n => length += n,
            }
        }
        let text = String::from_utf8_lossy(&answer[..length]);
        match text.split_whitespace().nth(1).and_then(|status| status.parse::<u16>().ok()) {
            Some(200..300) => Ok(()),
            Some(status) => Err(format!("answered {status}")),
            None => Err("the answer is no HTTP".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_plain_http() {
        let found = |authority: &str, path: &str| Ok(Endpoint { authority: authority.into(), path: path.into() });
        assert_eq!(parse_endpoint("http://localhost:4318"), found("localhost:4318", "/v1/traces"));
        assert_eq!(parse_endpoint("http://[::1]:4318/x/y"), found("[::1]:4318", "/x/y"));
        for wrong in ["localhost:4318", "https://a:1", "http://a", "http://:1", "http://a:0"] {
            assert!(parse_endpoint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_is_written_as_otlp_does() {
        let fields = Map::from_iter([
            ("door".into(), json!("http")),
            ("rows".into(), json!(7)),
            ("error".into(), json!("42601")),
        ]);
        let span = ended("statement", Open { trace: 1, id: 2, parent: Some(3), start_ns: 5, fields }, 9);
        assert_eq!(span["traceId"], "00000000000000000000000000000001");
        assert_eq!((&span["spanId"], &span["parentSpanId"]), (&json!("0000000000000002"), &json!("0000000000000003")));
        assert_eq!((&span["kind"], &span["startTimeUnixNano"]), (&json!(2), &json!("5")));
        assert_eq!(span["status"], json!({"code": 2, "message": "42601"}));
        assert_eq!(span["attributes"][1], json!({"key": "rows", "value": {"intValue": "7"}}));
    }
}
