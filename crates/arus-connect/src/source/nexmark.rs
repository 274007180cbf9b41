//! `'connector' = 'nexmark'`: the auction events of the Nexmark benchmark, in the shape of Flink's generator.
//!
//! An event is a pure function of its number and of the options, so that a restored source gives the same events again;
//! a position is the number of the next event. Event times are computed here from that number, since the generator's own
//! are single precision. Persons, auctions and bids come in fixed proportions, each as a ROW in its own column, with NULL
//! in the two others.

use std::sync::Arc;

use ::nexmark::EventGenerator;
use ::nexmark::config::NexmarkConfig;
use ::nexmark::event::{Auction, Bid, Event, Person};
use arrow::array::{
    ArrayRef, Int32Builder, Int64Builder, RecordBatch, RecordBatchOptions, StringViewBuilder, StructArray,
    TimestampMillisecondBuilder,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use arus_core::catalog::TableDef;
use arus_core::change::arrow_bug;
use arus_core::clock::SharedClock;
use arus_core::connector::{
    ConnectContext, Connector, OptionDef, OptionKind, PollLimit, Polled, Position, Source, SourceReader, Split,
};
use arus_core::error::Code;
use arus_core::types::{RowField, TimeAttribute};
use arus_core::{Error, LogicalType, Result, TypeKind};

use crate::options::Options;

pub(crate) struct Nexmark;

const RATE: &str = "first-event.rate";
const NEXT_RATE: &str = "next-event.rate";
const RATE_LIMITED: &str = "rate.limited";
const EVENTS: &str = "events.num";
const BASE_TIME: &str = "base-time";

const fn number(name: &'static str, default: &'static str, about: &'static str) -> OptionDef {
    OptionDef::new(name, OptionKind::Integer, about).default_to(default)
}

const OPTIONS: &[OptionDef] = &[
    number(RATE, "10000", "events in a second of event time"),
    OptionDef::new(NEXT_RATE, OptionKind::Integer, "must equal first-event.rate: the rate is constant here"),
    OptionDef::new(RATE_LIMITED, OptionKind::Boolean, "also no more events in a second of the clock")
        .default_to("false"),
    number(EVENTS, "0", "events in all; 0: the source does not end"),
    number(BASE_TIME, "1436918400000", "time of the first event, in milliseconds since 1970"),
    number("person.proportion", "1", "persons, of so many events as the three proportions sum up to"),
    number("auction.proportion", "3", "auctions among them"),
    number("bid.proportion", "46", "bids among them"),
    number("person.avg-size", "200", "bytes of a person, about"),
    number("auction.avg-size", "500", "bytes of an auction, about"),
    number("bid.avg-size", "100", "bytes of a bid, about"),
    number("bid.hot-ratio.auctions", "2", "1 of so many bids is for any auction, the others for a popular one"),
    number("bid.hot-ratio.bidders", "4", "1 of so many bids is by anybody, the others by a busy bidder"),
    number("auction.hot-ratio.sellers", "4", "1 of so many auctions is by anybody, the others by a busy seller"),
];

/// What can be declared, in Flink's names and order.
fn known_columns() -> [(&'static str, LogicalType); 4] {
    let row = |fields: &[(&str, TypeKind)]| {
        let field = |(name, kind): &(&str, TypeKind)| RowField {
            name: name.to_string(),
            ty: kind.clone().nullable(),
            comment: None,
        };
        TypeKind::Row(fields.iter().map(field).collect()).nullable()
    };
    let time = || TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None };
    let (text, id) = (|| TypeKind::STRING, || TypeKind::BigInt);
    [
        ("event_type", TypeKind::Int.nullable()),
        (
            "person",
            row(&[
                ("id", id()),
                ("name", text()),
                ("emailAddress", text()),
                ("creditCard", text()),
                ("city", text()),
                ("state", text()),
                ("dateTime", time()),
                ("extra", text()),
            ]),
        ),
        (
            "auction",
            row(&[
                ("id", id()),
                ("itemName", text()),
                ("description", text()),
                ("initialBid", id()),
                ("reserve", id()),
                ("dateTime", time()),
                ("expires", time()),
                ("seller", id()),
                ("category", id()),
                ("extra", text()),
            ]),
        ),
        (
            "bid",
            row(&[
                ("auction", id()),
                ("bidder", id()),
                ("price", id()),
                ("channel", text()),
                ("url", text()),
                ("dateTime", time()),
                ("extra", text()),
            ]),
        ),
    ]
}

impl Connector for Nexmark {
    fn name(&self) -> &'static str {
        "nexmark"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn is_source(&self) -> bool {
        true
    }

    fn source(&self, table: &TableDef, cx: &ConnectContext) -> Result<Arc<dyn Source>> {
        let options = Options::of(table, OPTIONS);
        let whole = |name: &str, least: u64| -> Result<u64> {
            let text = options.required(name)?;
            match text.trim().parse() {
                Ok(value) if value >= least => Ok(value),
                _ => Err(options.wrong(name, format!("an integer of {least} or more"), text)),
            }
        };
        let per_second = whole(RATE, 1)?;
        if let Some(next) = options.text(NEXT_RATE)
            && next.trim().parse() != Ok(per_second)
        {
            return Err(options.wrong(NEXT_RATE, format!("{per_second}, as in '{RATE}'"), next));
        }
        let size = |name: &str, least: u64| whole(name, least).map(|n| n as usize);
        let config = NexmarkConfig {
            // Offsets of event times are computed here.
            base_time: 0,
            first_rate: per_second as usize,
            next_rate: per_second as usize,
            // The generator expects a person and an auction before the first bid.
            person_proportion: size("person.proportion", 1)?,
            auction_proportion: size("auction.proportion", 1)?,
            bid_proportion: size("bid.proportion", 0)?,
            avg_person_byte_size: size("person.avg-size", 1)?,
            avg_auction_byte_size: size("auction.avg-size", 1)?,
            avg_bid_byte_size: size("bid.avg-size", 1)?,
            hot_auction_ratio: size("bid.hot-ratio.auctions", 1)?,
            hot_bidder_ratio: size("bid.hot-ratio.bidders", 1)?,
            hot_seller_ratio: size("auction.hot-ratio.sellers", 1)?,
            ..NexmarkConfig::default()
        };
        let events = whole(EVENTS, 0)?;
        Ok(Arc::new(Events {
            clock: cx.clock.clone(),
            schema: table.physical_schema().to_arrow(),
            columns: columns(table)?,
            config,
            per_second,
            limited: options.flag(RATE_LIMITED)?,
            events: (events > 0).then_some(events),
            base_ms: whole(BASE_TIME, 0)? as i64,
        }))
    }
}

/// For each physical column of the table which one of the known it is.
fn columns(table: &TableDef) -> Result<Vec<usize>> {
    let known = known_columns();
    table
        .physical_schema()
        .columns()
        .iter()
        .map(|column| {
            let wrong = |what: String| {
                let names: Vec<String> = known.iter().map(|(name, ty)| format!("`{name}` {}", ty.kind)).collect();
                Error::user(format!("table '{}': column '{}' {what}", table.path, column.name))
                    .with_code(Code::InvalidOption)
                    .with_hint(format!("columns of connector 'nexmark' are {}", names.join(", ")))
            };
            let Some(at) = known.iter().position(|(name, _)| *name == column.name) else {
                return Err(wrong("is none of a Nexmark event".into()));
            };
            if column.ty.to_arrow() != known[at].1.to_arrow() {
                return Err(wrong(format!("has type {}, expected {}", column.ty.kind, known[at].1.kind)));
            }
            Ok(at)
        })
        .collect()
}

struct Events {
    clock: SharedClock,
    schema: SchemaRef,
    columns: Vec<usize>,
    config: NexmarkConfig,
    per_second: u64,
    limited: bool,
    events: Option<u64>,
    base_ms: i64,
}

impl Source for Events {
    fn bounded(&self) -> bool {
        self.events.is_some()
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        Ok(if known.is_empty() { vec![Split { id: "events".into() }] } else { vec![] })
    }

    fn open(&self, _split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        let next = match position {
            None => 0,
            Some(position) => {
                position.as_u64().ok_or_else(|| Error::bug(format!("nexmark: no position: '{}'", position.0)))?
            }
        };
        Ok(Box::new(EventReader {
            clock: self.clock.clone(),
            schema: self.schema.clone(),
            columns: self.columns.clone(),
            generator: EventGenerator::new(self.config.clone()).with_offset(next),
            per_second: self.per_second,
            limited: self.limited,
            events: self.events,
            base_ms: self.base_ms,
            next,
            opened_ns: self.clock.monotonic_ns(),
            opened_at: next,
        }))
    }
}

struct EventReader {
    clock: SharedClock,
    schema: SchemaRef,
    columns: Vec<usize>,
    generator: EventGenerator,
    per_second: u64,
    limited: bool,
    events: Option<u64>,
    base_ms: i64,
    next: u64,
    opened_ns: u64,
    opened_at: u64,
}

impl SourceReader for EventReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        if self.events.is_some_and(|events| self.next >= events) {
            return Ok(Polled::End);
        }
        let mut end = (self.next + limit.rows.max(1) as u64).min(self.events.unwrap_or(u64::MAX));
        if self.limited {
            let elapsed_ns = self.clock.monotonic_ns().saturating_sub(self.opened_ns);
            let due = u128::from(elapsed_ns) * u128::from(self.per_second) / 1_000_000_000 + 1;
            end = end.min(self.opened_at.saturating_add(u64::try_from(due).unwrap_or(u64::MAX)));
        }
        if end <= self.next {
            return Ok(Polled::Idle);
        }
        let mut rows = Rows::default();
        for (number, event) in (self.next..end).zip(&mut self.generator) {
            let at_ms = self.base_ms + (u128::from(number) * 1_000 / u128::from(self.per_second)) as i64;
            rows.push(&event, at_ms);
        }
        let count = (end - self.next) as usize;
        let arrays = rows.finish(&self.schema, &self.columns)?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).map_err(arrow_bug)?;
        self.next = end;
        Ok(Polled::Rows(batch))
    }

    fn position(&self) -> Position {
        Position::from_u64(self.next)
    }

    fn backlog(&self) -> Option<u64> {
        self.events.map(|events| events.saturating_sub(self.next))
    }
}

/// A ROW column in the making: its fields in their order of kind, and which rows have it.
#[derive(Default)]
struct Part {
    numbers: Vec<Int64Builder>,
    texts: Vec<StringViewBuilder>,
    times: Vec<TimestampMillisecondBuilder>,
    valid: Vec<bool>,
}

impl Part {
    fn with(numbers: usize, texts: usize, times: usize) -> Self {
        Part {
            numbers: (0..numbers).map(|_| Int64Builder::new()).collect(),
            texts: (0..texts).map(|_| StringViewBuilder::new()).collect(),
            times: (0..times).map(|_| TimestampMillisecondBuilder::new()).collect(),
            valid: vec![],
        }
    }

    fn push(&mut self, numbers: &[usize], texts: &[&str], times: &[i64]) {
        self.numbers.iter_mut().zip(numbers).for_each(|(b, n)| b.append_value(*n as i64));
        self.texts.iter_mut().zip(texts).for_each(|(b, t)| b.append_value(t));
        self.times.iter_mut().zip(times).for_each(|(b, t)| b.append_value(*t));
        self.valid.push(true);
    }

    fn push_null(&mut self) {
        self.numbers.iter_mut().for_each(|b| b.append_null());
        self.texts.iter_mut().for_each(|b| b.append_null());
        self.times.iter_mut().for_each(|b| b.append_null());
        self.valid.push(false);
    }

    /// Fields take the next array of their type.
    fn finish(self, ty: &DataType) -> Result<ArrayRef> {
        let DataType::Struct(fields) = ty else { return Err(Error::bug("a nexmark event that is no ROW")) };
        let (mut numbers, mut texts, mut times) =
            (self.numbers.into_iter(), self.texts.into_iter(), self.times.into_iter());
        let missing = || Error::bug("a nexmark event with too many fields");
        let arrays: Result<Vec<ArrayRef>> = fields
            .iter()
            .map(|field| {
                Ok(match field.data_type() {
                    DataType::Int64 => Arc::new(numbers.next().ok_or_else(missing)?.finish()) as ArrayRef,
                    DataType::Timestamp(..) => Arc::new(times.next().ok_or_else(missing)?.finish()),
                    _ => Arc::new(texts.next().ok_or_else(missing)?.finish()),
                })
            })
            .collect();
        let array = StructArray::try_new(fields.clone(), arrays?, Some(NullBuffer::from(self.valid)));
        Ok(Arc::new(array.map_err(arrow_bug)?))
    }
}

struct Rows {
    types: Int32Builder,
    persons: Part,
    auctions: Part,
    bids: Part,
}

impl Default for Rows {
    fn default() -> Self {
        Rows {
            types: Int32Builder::new(),
            persons: Part::with(1, 6, 1),
            auctions: Part::with(5, 3, 2),
            bids: Part::with(3, 3, 1),
        }
    }
}

impl Rows {
    fn push(&mut self, event: &Event, at_ms: i64) {
        let own = match event {
            Event::Person(Person { id, name, email_address, credit_card, city, state, extra, .. }) => {
                self.persons.push(&[*id], &[name, email_address, credit_card, city, state, extra], &[at_ms]);
                0
            }
            Event::Auction(auction) => {
                let Auction { id, item_name, description, initial_bid, reserve, seller, category, extra, .. } = auction;
                let open_ms = auction.expires.saturating_sub(auction.date_time) as i64;
                self.auctions.push(
                    &[*id, *initial_bid, *reserve, *seller, *category],
                    &[item_name, description, extra],
                    &[at_ms, at_ms + open_ms],
                );
                1
            }
            Event::Bid(Bid { auction, bidder, price, channel, url, extra, .. }) => {
                self.bids.push(&[*auction, *bidder, *price], &[channel, url, extra], &[at_ms]);
                2
            }
        };
        self.types.append_value(own);
        let parts = [&mut self.persons, &mut self.auctions, &mut self.bids];
        parts.into_iter().zip(0..).filter(|(_, kind)| *kind != own).for_each(|(part, _)| part.push_null());
    }

    fn finish(mut self, schema: &SchemaRef, columns: &[usize]) -> Result<Vec<ArrayRef>> {
        let mut parts = [Some(self.persons), Some(self.auctions), Some(self.bids)];
        let types: ArrayRef = Arc::new(self.types.finish());
        columns
            .iter()
            .zip(schema.fields())
            .map(|(known, field)| match known {
                0 => Ok(types.clone()),
                part => {
                    let part = parts[part - 1].take();
                    part.ok_or_else(|| Error::bug("a nexmark column that stands twice"))?.finish(field.data_type())
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Int32Type, TimestampMillisecondType};

    use super::*;
    use crate::conformance::{Lines, context, table};

    fn polled(options: &[(&str, &str)], from: u64, rows: usize) -> RecordBatch {
        let table = table(&known_columns(), options);
        let source = Nexmark.source(&table, &context(&Arc::new(Lines::default()))).expect("a source");
        let split = source.enumerate(&[]).expect("splits").remove(0);
        let mut reader = source.open(&split, Some(&Position::from_u64(from))).expect("opens");
        match reader.poll(PollLimit { rows, bytes: 1 << 20 }).expect("polls") {
            Polled::Rows(rows) => rows,
            _ => panic!("no rows"),
        }
    }

    #[test]
    fn events_are_flinks_in_shape_and_share() {
        let rows = polled(&[("events.num", "1000"), ("base-time", "0")], 0, 1_000);
        let kinds = rows.column(0).as_primitive::<Int32Type>();
        let count = |kind| kinds.values().iter().filter(|k| **k == kind).count();
        assert_eq!([count(0), count(1), count(2)], [20, 60, 920]);
        let (persons, auctions, bids) = (rows.column(1), rows.column(2), rows.column(3));
        for row in 0..rows.num_rows() {
            let valid = [persons.is_valid(row), auctions.is_valid(row), bids.is_valid(row)];
            let mut expected = [false; 3];
            expected[kinds.value(row) as usize] = true;
            assert_eq!(valid, expected, "row {row}");
        }
        let times = bids.as_struct().column(5).as_primitive::<TimestampMillisecondType>();
        assert_eq!([times.value(4), times.value(999)], [0, 99], "10,000 a second");
        let auctions = auctions.as_struct();
        let expires = auctions.column(6).as_primitive::<TimestampMillisecondType>();
        assert!(expires.value(1) >= auctions.column(5).as_primitive::<TimestampMillisecondType>().value(1));
        // From the middle the same events come.
        let later = polled(&[("events.num", "1000"), ("base-time", "0")], 600, 400);
        assert_eq!(later, rows.slice(600, 400));
    }

    #[test]
    fn wrong_declarations_are_named() {
        let cx = context(&Arc::new(Lines::default()));
        let refused = |columns: &[(&str, LogicalType)], options: &[(&str, &str)]| {
            let error = Nexmark.source(&table(columns, options), &cx).err().expect("refused");
            error.message().to_string()
        };
        let id = || TypeKind::BigInt.nullable();
        assert!(refused(&[("seller", id())], &[]).contains("'seller' is none of a Nexmark event"));
        assert!(refused(&[("event_type", id())], &[]).contains("has type BIGINT, expected INT"));
        assert!(refused(&[], &[("first-event.rate", "0")]).contains("an integer of 1 or more"));
        assert!(refused(&[], &[("next-event.rate", "5")]).contains("expected 10000"));
    }
}
