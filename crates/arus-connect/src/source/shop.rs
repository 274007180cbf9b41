//! `'connector' = 'shop'` (ours): page views, baskets, orders and payments of a shop that does not exist, with planted frauds.
//!
//! All tables with one seed tell of the same visits. Rows come in the order of their time, at their time, or as fast as they are
//! read where `start` says from when; a position is the time of the next row in milliseconds. With `truth` the table of payments
//! writes each planted fraud to a file when it is over: lines of JSON, the same fraud again after a crash.

mod model;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray,
    TimestampMillisecondArray,
};
use arus_core::catalog::TableDef;
use arus_core::change::arrow_bug;
use arus_core::clock::SharedClock;
use arus_core::connector::{
    ConnectContext, Connector, OptionDef, OptionKind, PollLimit, Polled, Position, Source, SourceReader, Split,
};
use arus_core::error::Code;
use arus_core::fs::SharedFs;
use arus_core::types::TimeAttribute;
use arus_core::{Column, Error, Result, RowSchema, TypeKind};
use serde_json::json;

use crate::options::Options;
use crate::sink::filesystem::check_allowed;
use model::{Device, Event, LONGEST_MS, Stream};

pub(crate) struct Shop;

const STREAM: &str = "stream";
const SEED: &str = "seed";
const VISITS: &str = "visits-per-second";
const HISTORY: &str = "history";
const START: &str = "start";
const LENGTH: &str = "length";
const TRUTH: &str = "truth";

const STREAMS: &[(&str, Stream)] = &[
    ("baskets", Stream::Baskets),
    ("orders", Stream::Orders),
    ("page-views", Stream::PageViews),
    ("payments", Stream::Payments),
];

const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        STREAM,
        OptionKind::Choice(&["baskets", "orders", "page-views", "payments"]),
        "which rows of the shop these are",
    )
    .required(),
    OptionDef::new(SEED, OptionKind::Integer, "another seed is another shop; tables of one shop have the same")
        .default_to("1"),
    OptionDef::new(VISITS, OptionKind::Number, "visits that begin in a second, on average; 50 at most").default_to("4"),
    OptionDef::new(HISTORY, OptionKind::Duration, "how far in the past the first rows are; a day at most")
        .default_to("0 s"),
    OptionDef::new(START, OptionKind::Integer, "milliseconds since 1970: rows from there on, as fast as they are read"),
    OptionDef::new(LENGTH, OptionKind::Duration, "with start: the source ends after this time"),
    OptionDef::new(TRUTH, OptionKind::Text, "of payments: a file that gets a line of JSON for each planted fraud"),
];

const DAY_MS: i64 = 86_400_000;

/// What each stream has; a table declares those that it wants, in any order.
fn known_columns(stream: Stream) -> RowSchema {
    let money = || TypeKind::Decimal { precision: 10, scale: 2 };
    let text = || TypeKind::STRING;
    let mut columns = vec![("ts", TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None })];
    columns.extend([("visit", TypeKind::BigInt), ("customer", text()), ("country", text())]);
    columns.extend(match stream {
        Stream::PageViews => {
            vec![("page", text()), ("category", text()), ("product", text()), ("referrer", text()), ("device", text())]
        }
        Stream::Baskets | Stream::Orders => {
            vec![("category", text()), ("product", text()), ("quantity", TypeKind::Int), ("amount", money())]
        }
        Stream::Payments => vec![
            ("payment", TypeKind::BigInt),
            ("device", text()),
            ("card", text()),
            ("amount", money()),
            ("status", text()),
        ],
    });
    columns.into_iter().map(|(name, kind)| Column { name: name.into(), ty: kind.nullable() }).collect()
}

impl Connector for Shop {
    fn name(&self) -> &'static str {
        "shop"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn is_source(&self) -> bool {
        true
    }

    fn source(&self, table: &TableDef, cx: &ConnectContext) -> Result<Arc<dyn Source>> {
        let options = Options::of(table, OPTIONS);
        let name = options.choice(STREAM)?;
        let stream = STREAMS.iter().find(|(n, _)| *n == name).map(|(_, stream)| *stream);
        let stream = stream.ok_or_else(|| Error::bug(format!("shop: no stream '{name}'")))?;
        let whole = |name: &str| -> Result<Option<i64>> {
            let parsed = |text: &str| text.trim().parse::<i64>().ok().filter(|n| *n >= 0);
            let checked = |text| parsed(text).ok_or_else(|| options.wrong(name, "an integer of 0 or more", text));
            options.text(name).map(checked).transpose()
        };
        let text = options.required(VISITS)?;
        let visits = text.trim().parse::<f64>().ok().filter(|v| (0.0..=50.0).contains(v));
        let visits = visits.ok_or_else(|| options.wrong(VISITS, "a number from 0 to 50", text))?;
        let history_ms = options.duration_ms(HISTORY)?.unwrap_or(0);
        if history_ms > DAY_MS {
            return Err(options.wrong(HISTORY, "a day at most", options.required(HISTORY)?));
        }
        let start_ms = whole(START)?;
        let length_ms = options.duration_ms(LENGTH)?;
        if let (None, Some(_)) = (start_ms, length_ms) {
            return Err(options.wrong(LENGTH, format!("'{START}' beside it"), options.required(LENGTH)?));
        }
        let truth = options.text(TRUTH).map(|path| cx.working_dir.join(path));
        if let Some(path) = &truth {
            if stream != Stream::Payments {
                return Err(options.wrong(
                    TRUTH,
                    "this option with 'stream' = 'payments' alone",
                    options.required(TRUTH)?,
                ));
            }
            check_allowed(table, path.parent().unwrap_or(path), cx)?;
        }
        Ok(Arc::new(ShopSource {
            clock: cx.clock.clone(),
            fs: cx.fs.clone(),
            columns: declared(table, stream)?,
            stream,
            seed: whole(SEED)?.unwrap_or(1) as u64,
            visits,
            history_ms,
            start_ms,
            end_ms: start_ms.zip(length_ms).map(|(start, length)| start.saturating_add(length)),
            truth,
        }))
    }
}

fn declared(table: &TableDef, stream: Stream) -> Result<RowSchema> {
    let columns = table.physical_schema();
    let known = known_columns(stream);
    for column in columns.columns() {
        if known.columns().iter().any(|k| k.name == column.name && k.ty.to_arrow() == column.ty.to_arrow()) {
            continue;
        }
        let list: Vec<_> = known.columns().iter().map(|k| format!("`{}` {}", k.name, k.ty)).collect();
        return Err(Error::user(format!(
            "table '{}': connector 'shop' has no column `{}` {} in this stream",
            table.path, column.name, column.ty
        ))
        .with_code(Code::UndefinedColumn)
        .with_hint(format!("its columns are {}", list.join(", "))));
    }
    Ok(columns)
}

#[derive(Clone)]
struct ShopSource {
    clock: SharedClock,
    fs: SharedFs,
    columns: RowSchema,
    stream: Stream,
    seed: u64,
    visits: f64,
    history_ms: i64,
    start_ms: Option<i64>,
    end_ms: Option<i64>,
    truth: Option<PathBuf>,
}

impl Source for ShopSource {
    fn bounded(&self) -> bool {
        self.end_ms.is_some()
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        Ok(if known.is_empty() { vec![Split { id: "shop".into() }] } else { vec![] })
    }

    fn open(&self, _split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        let now_ms = self.clock.now_ms();
        let first = self.start_ms.unwrap_or(now_ms - self.history_ms);
        let next_ms = match position {
            None => first,
            Some(Position(text)) => text.parse().map_err(|_| Error::bug(format!("shop: no position: '{text}'")))?,
        };
        let mut reader = ShopReader {
            shop: self.clone(),
            next_ms,
            begun: (next_ms - LONGEST_MS).div_euclid(1_000),
            waiting: BTreeMap::new(),
            ended: false,
        };
        reader.begin_until(next_ms);
        reader.waiting = reader.waiting.split_off(&(next_ms, i64::MIN));
        if let (Some(path), None) = (&self.truth, position) {
            let live_ms = if self.start_ms.is_some() { first } else { now_ms };
            let line = json!({"live_from_ms": live_ms, "replayed": self.start_ms.is_some()});
            append(&self.fs, path, &line.to_string())?;
        }
        Ok(Box::new(reader))
    }

    /// One log of them, which every pipeline and reader shares; without it they would each make the rows anew.
    fn replayable(&self) -> bool {
        self.start_ms.is_some()
    }
}

struct ShopReader {
    shop: ShopSource,
    /// Everything before it was handed out.
    next_ms: i64,
    /// The next second whose visits have not begun.
    begun: i64,
    /// By time and number.
    waiting: BTreeMap<(i64, i64), Event>,
    ended: bool,
}

impl ShopReader {
    /// Nothing before `ms` is missing afterwards.
    fn begin_until(&mut self, ms: i64) {
        let mut events = vec![];
        while self.begun * 1_000 < ms {
            model::begin(self.shop.seed, self.begun, self.shop.visits, &mut events);
            self.begun += 1;
        }
        let own = events.into_iter().filter(|e| e.stream == self.shop.stream);
        self.waiting.extend(own.map(|e| ((e.at_ms, e.number), e)));
    }

    /// The frauds whose last payment lies in these times.
    fn tell_truth(&self, from_ms: i64, to_ms: i64) -> Result<()> {
        let Some(path) = &self.shop.truth else { return Ok(()) };
        let mut lines = vec![];
        for second in (from_ms - LONGEST_MS).div_euclid(1_000)..=to_ms.div_euclid(1_000) {
            let Some(fraud) = model::fraud(self.shop.seed, second) else { continue };
            let (Some(first), Some(last)) = (fraud.at_ms.first(), fraud.at_ms.last()) else { continue };
            if (from_ms..to_ms).contains(last) {
                let line = json!({
                    "device": device_name(Device::Fraud(fraud.device)),
                    "first_ms": first,
                    "last_ms": last,
                    "completed_ms": fraud.completed_ms(),
                    "cards": fraud.at_ms.len(),
                });
                lines.push(line.to_string());
            }
        }
        if lines.is_empty() { Ok(()) } else { append(&self.shop.fs, path, &lines.join("\n")) }
    }
}

impl SourceReader for ShopReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        if self.ended {
            return Ok(Polled::End);
        }
        // A step at a time: a long history, or a start in the past, is no one batch.
        let step = self.next_ms + 10_000;
        let due = if self.shop.start_ms.is_some() { step } else { step.min(self.shop.clock.now_ms()) };
        let mut to_ms = due.min(self.shop.end_ms.unwrap_or(i64::MAX));
        if to_ms <= self.next_ms {
            self.ended = self.shop.end_ms.is_some_and(|end| self.next_ms >= end);
            return Ok(if self.ended { Polled::End } else { Polled::Idle });
        }
        self.begin_until(to_ms);
        let rest = self.waiting.split_off(&(to_ms, i64::MIN));
        let mut events: Vec<Event> = std::mem::replace(&mut self.waiting, rest).into_values().collect();
        // The rows of one moment stay together: a position is a time.
        let at_limit = events.get(limit.rows.max(1)).map(|e| e.at_ms).filter(|at| *at > self.next_ms);
        if let Some(at_ms) = at_limit {
            to_ms = at_ms;
            let kept = events.partition_point(|e| e.at_ms < at_ms);
            self.waiting.extend(events.split_off(kept).into_iter().map(|e| ((e.at_ms, e.number), e)));
        }
        self.tell_truth(self.next_ms, to_ms)?;
        self.next_ms = to_ms;
        if events.is_empty() {
            return Ok(Polled::Idle);
        }
        Ok(Polled::Rows(rows(&self.shop.columns, &events)?))
    }

    fn position(&self) -> Position {
        Position(self.next_ms.to_string())
    }

    fn backlog(&self) -> Option<u64> {
        self.shop.end_ms.map(|end| (end - self.next_ms).max(0) as u64 / 1_000)
    }
}

fn append(fs: &SharedFs, path: &Path, lines: &str) -> Result<()> {
    let failed = |e| Error::io("write", path.display(), e);
    fs.open_append(path).and_then(|file| file.append(format!("{lines}\n").as_bytes())).map_err(failed)
}

fn device_name(device: Device) -> String {
    match device {
        Device::Customer(n) => format!("phone-{n:04}"),
        Device::Kiosk(n) => format!("terminal-{n}"),
        // As any other phone.
        Device::Fraud(n) => format!("phone-{n:010x}"),
    }
}

fn rows(columns: &RowSchema, events: &[Event]) -> Result<RecordBatch> {
    let texts = |of: &dyn Fn(&Event) -> String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(events.iter().map(of)))
    };
    // What a row has nothing to say of is NULL.
    let words = |of: &dyn Fn(&Event) -> &'static str| -> ArrayRef {
        Arc::new(events.iter().map(|e| Some(of(e)).filter(|w| !w.is_empty())).collect::<StringViewArray>())
    };
    let arrays: Result<Vec<ArrayRef>> = columns
        .columns()
        .iter()
        .map(|column| {
            Ok(match column.name.as_str() {
                "ts" => {
                    let times = TimestampMillisecondArray::from_iter_values(events.iter().map(|e| e.at_ms));
                    Arc::new(times.with_timezone("UTC")) as ArrayRef
                }
                "visit" => Arc::new(Int64Array::from_iter_values(events.iter().map(|e| e.visit))),
                "payment" => Arc::new(Int64Array::from_iter_values(events.iter().map(|e| e.number))),
                "customer" => texts(&|e| format!("c{:04}", e.customer)),
                "device" => texts(&|e| device_name(e.device)),
                "card" => texts(&|e| format!("card-{:012x}", e.card >> 16)),
                "country" => words(&|e| e.country),
                "referrer" => words(&|e| e.referrer),
                "page" => words(&|e| e.page),
                "category" => words(&|e| e.category),
                "product" => words(&|e| e.product),
                "status" => words(&|e| if e.accepted { "accepted" } else { "declined" }),
                "quantity" => Arc::new(Int32Array::from_iter_values(events.iter().map(|e| e.quantity))),
                "amount" => {
                    let cents: Decimal128Array = events.iter().map(|e| Some(i128::from(e.cents))).collect();
                    Arc::new(cents.with_precision_and_scale(10, 2).map_err(arrow_bug)?)
                }
                other => return Err(Error::bug(format!("shop: column '{other}'"))),
            })
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(events.len()));
    RecordBatch::try_new_with_options(columns.to_arrow(), arrays?, &options).map_err(arrow_bug)
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, cast::as_primitive_array};
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::conformance::{Lines, context, table};

    const LIMIT: PollLimit = PollLimit { rows: 50, bytes: 1 << 20 };

    fn source(stream: Stream, options: &[(&str, &str)]) -> Result<Arc<dyn Source>> {
        let name = STREAMS.iter().find(|(_, s)| *s == stream).expect("a stream").0;
        let known = known_columns(stream);
        let columns: Vec<_> = known.columns().iter().map(|c| (c.name.as_str(), c.ty.clone())).collect();
        let options: Vec<_> = [(STREAM, name)].into_iter().chain(options.iter().copied()).collect();
        Shop.source(&table(&columns, &options), &context(&Arc::new(Lines::default())))
    }

    fn visits(reader: &mut dyn SourceReader, polls: usize) -> Vec<i64> {
        let mut all = vec![];
        for _ in 0..polls {
            match reader.poll(LIMIT).expect("polls") {
                Polled::Rows(rows) => {
                    all.extend(as_primitive_array::<Int64Type>(rows.column(1)).values().iter().copied());
                    assert!(rows.column(2).as_string_view().iter().all(|c| c.is_some()));
                }
                Polled::End => break,
                _ => {}
            }
        }
        all
    }

    #[test]
    fn a_restored_reader_gives_the_rows_that_are_left() {
        let source =
            source(Stream::Orders, &[(START, "1800000000000"), (LENGTH, "10 min"), (VISITS, "8")]).expect("a source");
        let split = Split { id: "shop".into() };
        let whole = visits(source.open(&split, None).expect("opens").as_mut(), 10_000);
        assert!(whole.len() > 500, "{} orders", whole.len());
        let mut first = source.open(&split, None).expect("opens");
        let mut read = visits(first.as_mut(), 7);
        let mut second = source.open(&split, Some(&first.position())).expect("opens");
        read.extend(visits(second.as_mut(), 10_000));
        assert_eq!(read, whole);
    }

    #[test]
    fn columns_and_options_are_checked() {
        let refused = |options: &[(&str, &str)]| source(Stream::Baskets, options).err().expect("refused").to_string();
        assert!(refused(&[(VISITS, "500")]).contains("from 0 to 50"));
        assert!(refused(&[(LENGTH, "1 min")]).contains("'start' beside it"));
        assert!(refused(&[(TRUTH, "x")]).contains("'payments' alone"));
        let columns = [("page", TypeKind::STRING.nullable())];
        let cx = context(&Arc::new(Lines::default()));
        let error = Shop.source(&table(&columns, &[(STREAM, "orders")]), &cx).err().expect("refused");
        assert!(
            error.message().contains("no column `page`") && error.hint().expect("a hint").contains("`quantity` INT")
        );
    }
}
