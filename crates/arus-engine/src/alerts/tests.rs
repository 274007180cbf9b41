//! Books: what fires, what ends it, who is told, and that rows which come twice change nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch};
use arus_core::ChangeBatch;
use arus_core::catalog::ObjectPath;
use arus_core::limits::ALERT_CASES as CASES;
use arus_sql::{AlertDef, Notify, Severity, Summary};

use super::book::{Book, Event, Row, Touched, What};

const MINUTE: i64 = 60_000;

fn def() -> AlertDef {
    AlertDef {
        path: ObjectPath::in_default("cards"),
        query: String::new(),
        columns: vec!["card".into(), "n".into()],
        key: vec!["card".into()],
        time_column: None,
        severity: Severity::Critical,
        resolve_after_ms: None,
        no_data: None,
        summary: Some(Summary::parse("card {card}: {n}").expect("is right")),
        runbook: None,
        notify: vec![Notify::Named("oncall".into())],
        repeat_ms: None,
        appends: false,
    }
}

fn row(adds: bool, card: &str, n: u32) -> Row {
    Row { adds, text: format!(r#"{{"card":"{card}","n":{n}}}"#) }
}

/// The rows of one checkpoint.
fn take(book: &mut Book, def: &AlertDef, rows: &[Row], now_ms: i64) {
    let mut touched = Touched::default();
    book.take(def, rows, now_ms, &mut touched).expect("rows are JSON");
    book.settle(def, touched, now_ms);
    // What is saved comes back as it was.
    let text = serde_json::to_string(book).expect("is written");
    assert_eq!(&serde_json::from_str::<Book>(&text).expect("is read"), book);
}

/// What has happened since the last call: event and summary; those that nobody is told of in brackets.
fn happened(book: &mut Book) -> Vec<String> {
    let shown = |e: &Event| match e.silenced {
        true => format!("({} {})", e.what.name(), e.summary),
        false => format!("{} {}", e.what.name(), e.summary),
    };
    std::mem::take(&mut book.events).iter().map(shown).collect()
}

/// What waits for the notifier, taken by it.
fn told(book: &mut Book) -> Vec<(u64, What)> {
    let waiting: Vec<(u64, What)> = book.waiting.iter().map(|w| (w.event.number, w.event.what)).collect();
    waiting.iter().for_each(|(number, _)| book.told(0, *number));
    assert!(book.waiting.is_empty());
    waiting
}

#[test]
fn an_updated_row_is_one_case_until_it_goes() {
    let (mut book, def) = (Book::new(), def());
    take(&mut book, &def, &[row(true, "a", 5)], 1_000);
    assert_eq!(happened(&mut book), ["fired card a: 5"]);
    // The two halves of an update, in one checkpoint and over two keys.
    take(&mut book, &def, &[row(false, "a", 5), row(true, "a", 6), row(true, "b", 5)], 2_000);
    assert_eq!(happened(&mut book), ["fired card b: 5"]);
    assert_eq!(book.cases[r#"{"card":"a"}"#].summary, "card a: 6");
    // A case of several rows stands until the last one goes.
    take(&mut book, &def, &[row(true, "a", 9), row(false, "a", 6)], 3_000);
    assert_eq!(happened(&mut book), Vec::<String>::new());
    take(&mut book, &def, &[row(false, "a", 9), row(false, "zzz", 1)], 4_000);
    assert_eq!(happened(&mut book), ["resolved card a: 9"]);
    // What comes and goes within a checkpoint has happened.
    take(&mut book, &def, &[row(true, "c", 5), row(false, "c", 5)], 5_000);
    assert_eq!(happened(&mut book), ["fired card c: 5", "resolved card c: 5"]);
    let numbers: Vec<u64> = told(&mut book).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!((book.fired, book.delivered), (3, 5));
}

#[test]
fn a_case_ends_after_its_time_and_may_fire_again() {
    let (mut book, mut def) = (Book::new(), def());
    def.resolve_after_ms = Some(5 * MINUTE);
    for appends in [true, false] {
        def.appends = appends;
        take(&mut book, &def, &[row(true, "a", 5)], 0);
        take(&mut book, &def, &[row(true, "a", 7)], 4 * MINUTE);
        assert!(!book.is_due(&def, 9 * MINUTE - 1, None));
        assert!(book.is_due(&def, 9 * MINUTE, None));
        book.tick(&def, 9 * MINUTE, None);
        assert_eq!(happened(&mut book), ["fired card a: 5", "resolved card a: 7"]);
        // A row of the case that is over goes: that is no end of the new one.
        take(&mut book, &def, &[row(true, "a", 8)], 10 * MINUTE);
        if !appends {
            take(&mut book, &def, &[row(false, "a", 5)], 11 * MINUTE);
        }
        assert_eq!(happened(&mut book), ["fired card a: 8"]);
        book.tick(&def, 60 * MINUTE, None);
        assert_eq!(happened(&mut book), ["resolved card a: 8"]);
    }
}

#[test]
fn it_repeats_and_a_silence_holds_what_it_can() {
    let (mut book, mut def) = (Book::new(), def());
    def.repeat_ms = Some(10 * MINUTE);
    take(&mut book, &def, &[row(true, "a", 5)], 0);
    assert!(!book.is_due(&def, 10 * MINUTE - 1, None));
    book.tick(&def, 10 * MINUTE, None);
    book.tick(&def, 10 * MINUTE, None);
    assert_eq!(told(&mut book), [(1, What::Fired), (2, What::Repeated)]);
    book.silence(Some(60 * MINUTE));
    book.tick(&def, 30 * MINUTE, None);
    take(&mut book, &def, &[row(true, "b", 5), row(true, "c", 5), row(false, "c", 5)], 31 * MINUTE);
    assert_eq!(told(&mut book), []);
    assert_eq!(happened(&mut book)[2..], ["(fired card b: 5)", "(fired card c: 5)", "(resolved card c: 5)"]);
    // Its end: what still fires is told, with the id that it has had all the time.
    book.tick(&def, 60 * MINUTE, None);
    assert_eq!(book.silenced_until_ms, None);
    assert_eq!(told(&mut book), [(6, What::Repeated), (3, What::Fired)]);
    // Until further notice; a test is told all the same.
    book.silence(Some(i64::MAX));
    take(&mut book, &def, &[row(false, "b", 5)], 61 * MINUTE);
    let test = book.test(&def, 62 * MINUTE);
    assert_eq!(told(&mut book), [(test, What::Test)]);
    assert!(happened(&mut book).last().expect("the test").starts_with("test test: card <card>"));
}

#[test]
fn missing_data_is_told_once_and_ends() {
    let (mut book, mut def) = (Book::new(), def());
    def.no_data = Some((2 * MINUTE, Severity::Warning));
    def.repeat_ms = Some(60 * MINUTE);
    assert!(!book.is_due(&def, 0, Some(2 * MINUTE - 1)) && !book.is_due(&def, 0, None));
    assert!(book.is_due(&def, 0, Some(2 * MINUTE)));
    book.tick(&def, 0, Some(2 * MINUTE));
    book.tick(&def, 1, Some(2 * MINUTE + 1));
    book.tick(&def, 60 * MINUTE, Some(62 * MINUTE));
    book.tick(&def, 61 * MINUTE, Some(0));
    assert_eq!(told(&mut book), [(1, What::NoData), (2, What::Repeated), (3, What::DataAgain)]);
    assert!(book.no_data.is_none() && book.events.iter().all(|e| e.severity == "warning"));
}

#[test]
fn a_flood_has_bounds_that_are_counted() {
    let (mut book, def) = (Book::new(), def());
    let rows: Vec<Row> = (0..CASES + 7).map(|i| row(true, &format!("{i:05}"), 1)).collect();
    take(&mut book, &def, &rows, 0);
    assert_eq!((book.cases.len(), book.left_out, book.waiting.len()), (CASES, 7, CASES));
    let gone: Vec<Row> = (0..10).map(|i| row(false, &format!("{i:05}"), 1)).collect();
    take(&mut book, &def, &gone, 1);
    assert_eq!((book.waiting.len(), book.dropped), (CASES, 10));
    assert_eq!(book.waiting.back().expect("the newest").event.what, What::Resolved);
}

#[test]
fn messages_go_along_with_their_notifiers() {
    let (mut book, mut def) = (Book::new(), def());
    let named = |name: &str| Notify::Named(name.into());
    def.notify = vec![named("a"), named("b"), named("c")];
    book.go_by(&def);
    take(&mut book, &def, &[row(true, "x", 1)], 0);
    def.notify = vec![named("c"), named("d"), named("a")];
    book.go_by(&def);
    let places: Vec<usize> = book.waiting.iter().map(|w| w.to).collect();
    assert_eq!((places, book.dropped), (vec![2, 0], 1));
    // A book from before it knew its notifiers counts by the definition.
    book.notifiers.clear();
    def.notify = vec![named("c")];
    book.go_by(&def);
    assert_eq!((book.waiting.len(), book.waiting[0].to, book.dropped), (1, 0, 2));
}

#[test]
fn keys_are_told_apart_by_value() {
    let (mut book, mut def) = (Book::new(), def());
    def.key = vec!["n".into(), "card".into()];
    let null = Row { adds: true, text: r#"{"n":1}"#.into() };
    take(&mut book, &def, &[row(true, "a", 1), row(true, "a", 2), null], 0);
    let keys: Vec<&str> = book.cases.keys().map(String::as_str).collect();
    assert_eq!(keys, [r#"{"n":1,"card":"a"}"#, r#"{"n":1,"card":null}"#, r#"{"n":2,"card":"a"}"#]);
    // Without KEY all rows are one case.
    let mut whole = Book::new();
    def.key = vec![];
    take(&mut whole, &def, &[row(true, "a", 1), row(true, "b", 2), row(false, "a", 1)], 0);
    assert_eq!(whole.cases.len(), 1);
    take(&mut whole, &def, &[row(false, "b", 2)], 0);
    assert!(whole.cases.is_empty());
}

#[test]
fn a_decimal_keeps_its_digits() {
    let values = Decimal128Array::from(vec![Some(1_234_567_890_123_456_789_050), None]).with_precision_and_scale(38, 2);
    let column: ArrayRef = Arc::new(values.expect("is a decimal"));
    let rows = RecordBatch::try_from_iter_with_nullable([("total", column, true)]).expect("is a batch");
    let texts: Vec<_> =
        Row::of(&ChangeBatch::inserts(rows)).expect("is JSON").into_iter().map(|row| row.text).collect();
    assert_eq!(texts, [r#"{"total":"12345678901234567890.50"}"#, "{}"]);
}
