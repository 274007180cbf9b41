use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::Int64Type;
use arus_core::limits::CHANGES_EPOCHS;
use arus_core::plan::Uid;
use arus_core::rng::Rng;
use arus_core::types::TypeKind;
use arus_core::{ChangeBatch, Column, RowKind, RowSchema};

use super::*;
use crate::state::StateDelta;

/// Rows with their number of copies: what a pipeline has made of the changes.
type Seen = BTreeMap<(i64, String), i64>;
type Files = BTreeMap<(Uid, Vec<u8>), Vec<u8>>;

const ROWS: Uid = Uid(1);

fn schema() -> RowSchema {
    let column = |name: &str, kind: TypeKind| Column { name: name.into(), ty: kind.nullable() };
    RowSchema::new(vec![column("v", TypeKind::STRING), column("k", TypeKind::BigInt)])
}

fn cut(epoch: u64) -> Cut {
    Cut { incarnation: 1, epoch }
}

fn write(table: &KeyedTable, rows: &[(RowKind, i64, String)]) {
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|r| r.2.as_str()))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1))),
    ];
    let batch = RecordBatch::try_new(schema().to_arrow(), columns).expect("is a batch");
    table.apply(&ChangeBatch::new(batch, rows.iter().map(|r| r.0).collect())).expect("applies");
}

fn rows_of(batch: &RecordBatch) -> Vec<(i64, String)> {
    let (v, k) = (batch.column(0).as_string_view(), batch.column(1).as_primitive::<Int64Type>());
    (0..batch.num_rows()).map(|i| (k.value(i), v.value(i).to_string())).collect()
}

fn content(table: &KeyedTable) -> Seen {
    let mut seen = Seen::new();
    for batch in table.snapshot().scan(&[0, 1], None) {
        rows_of(&batch.expect("decodes")).into_iter().for_each(|row| *seen.entry(row).or_default() += 1);
    }
    seen
}

/// Reads up to `polls` batches; whether the newest version was reached.
fn read(reader: &mut TableReader, seen: &mut Seen, rng: &mut Rng, polls: usize) -> bool {
    for _ in 0..polls {
        let Some(batch) = reader.next(1 + rng.below(6) as usize).expect("reads") else { return true };
        for (i, row) in rows_of(batch.rows()).into_iter().enumerate() {
            let copies = seen.entry(row.clone()).or_default();
            *copies += if batch.kind(i).adds() { 1 } else { -1 };
            assert!(*copies >= 0, "{row:?} is taken back and was never there");
            if *copies == 0 {
                seen.remove(&row);
            }
        }
    }
    false
}

fn store(files: &mut Files, delta: &StateDelta) {
    for entry in delta.sorted() {
        match entry.value {
            Some(value) => files.insert((entry.uid, entry.key.to_vec()), value.to_vec()),
            None => files.remove(&(entry.uid, entry.key.to_vec())),
        };
    }
}

fn restore(files: &Files, mode: TableMode, at: Cut, uids: &[Uid]) -> Arc<KeyedTable> {
    let of =
        |uid: Uid| files.iter().filter(move |((u, _), _)| *u == uid).map(|((_, k), v)| (k.as_slice(), v.as_slice()));
    let table = Arc::new(KeyedTable::new(schema(), &[1], mode));
    of(ROWS).for_each(|(key, value)| table.restore_entry(key, value).expect("restores"));
    table.finish_restore(at, 0);
    uids.iter().for_each(|uid| table.restore_reader(*uid, of(*uid)).expect("restores"));
    table
}

/// A reader, what it has seen, and what it had seen at its last barrier and at the last checkpoint.
struct Pipeline {
    uid: Uid,
    reader: Option<TableReader>,
    seen: Seen,
    at_barrier: Option<Seen>,
    durable: Seen,
}

impl Pipeline {
    fn new(table: &Arc<KeyedTable>, uid: u64) -> Self {
        let uid = Uid(uid);
        let reader = Some(table.read(Reading::Kept(uid), &[0, 1]));
        Pipeline { uid, reader, seen: Seen::new(), at_barrier: None, durable: Seen::new() }
    }
}

#[test]
fn readers_come_to_what_the_table_holds_over_crashes_failures_and_rests() {
    for seed in 0..100 {
        let mut rng = Rng::seeded(seed);
        let mode = if seed % 3 == 0 { TableMode::Counted } else { TableMode::Keyed };
        let mut files = Files::new();
        let mut table = Arc::new(KeyedTable::new(schema(), &[1], mode));
        let mut pipelines: Vec<Pipeline> = vec![];
        let mut copies = Seen::new();
        let mut durable_copies = Seen::new();
        let (mut epoch, mut durable_epoch) = (0, 0);
        for step in 0..120 {
            for _ in 0..rng.below(8) {
                let (key, value) = (rng.below(40) as i64, format!("v{}", rng.below(3)));
                let there = copies.get(&(key, value.clone())).copied().unwrap_or(0);
                let kind = if rng.below(3) == 0 && there > 0 { RowKind::Delete } else { RowKind::Insert };
                *copies.entry((key, value.clone())).or_default() += if kind.adds() { 1 } else { -1 };
                write(&table, &[(kind, key, value)]);
            }
            epoch += 1;
            table.publish(cut(epoch), 0);
            if pipelines.len() < 3 && rng.below(15) == 0 {
                pipelines.push(Pipeline::new(&table, 10 + pipelines.len() as u64));
            }
            for pipeline in &mut pipelines {
                pipeline.at_barrier = None;
                let Some(reader) = &mut pipeline.reader else { continue };
                let polls = rng.below(6) as usize;
                read(reader, &mut pipeline.seen, &mut rng, polls);
                reader.at_barrier();
                pipeline.at_barrier = Some(pipeline.seen.clone());
                if rng.below(2) == 0 {
                    // What it reads after the barrier is of the next epoch.
                    read(reader, &mut pipeline.seen, &mut rng, 2);
                }
                if rng.below(20) == 0 {
                    // It ends right behind its barrier.
                    pipeline.reader = None;
                    pipeline.seen = pipeline.durable.clone();
                }
            }
            match rng.below(12) {
                0..=3 => {
                    // A pipeline that runs is in it, or has failed just before and is not.
                    for pipeline in &mut pipelines {
                        let Some(seen) = pipeline.at_barrier.take() else { continue };
                        if rng.below(10) == 0 {
                            pipeline.reader = None;
                            pipeline.seen = pipeline.durable.clone();
                            continue;
                        }
                        table.cut_reader(pipeline.uid);
                        pipeline.durable = seen;
                        if rng.below(10) == 0 {
                            // Its thread hears that it is suspended before the table is frozen.
                            pipeline.reader = None;
                        }
                        if pipeline.reader.is_none() {
                            pipeline.seen = pipeline.durable.clone();
                        }
                    }
                    let mut delta = StateDelta::new();
                    table.freeze(ROWS, &mut delta);
                    store(&mut files, &delta);
                    (durable_epoch, durable_copies) = (epoch, copies.clone());
                }
                4 if !pipelines.is_empty() => {
                    // It fails, or is suspended.
                    let which = rng.below(pipelines.len() as u64) as usize;
                    pipelines[which].reader = None;
                    pipelines[which].seen = pipelines[which].durable.clone();
                }
                5 => {
                    for pipeline in pipelines.iter_mut().filter(|p| p.reader.is_none()) {
                        pipeline.reader = Some(table.read(Reading::Kept(pipeline.uid), &[0, 1]));
                    }
                }
                6 if step > 20 => {
                    // The writer and all readers fall back: the table takes back what it showed.
                    let rows: Vec<_> = files.iter().filter(|((u, _), _)| *u == ROWS).collect();
                    table.roll_back(rows.iter().map(|((_, k), v)| (k.as_slice(), v.as_slice())));
                    copies = durable_copies.clone();
                    for pipeline in &mut pipelines {
                        pipeline.reader = None;
                        pipeline.seen = pipeline.durable.clone();
                    }
                }
                7 if step > 20 => {
                    let uids: Vec<Uid> = pipelines.iter().map(|p| p.uid).collect();
                    table = restore(&files, mode, cut(durable_epoch), &uids);
                    (epoch, copies) = (durable_epoch, durable_copies.clone());
                    for pipeline in &mut pipelines {
                        pipeline.seen = pipeline.durable.clone();
                        let attached = pipeline.reader.is_some();
                        pipeline.reader = attached.then(|| table.read(Reading::Kept(pipeline.uid), &[0, 1]));
                    }
                }
                _ => {}
            }
        }
        epoch += 1;
        table.publish(cut(epoch), 0);
        for mut pipeline in pipelines {
            let mut reader = pipeline.reader.take().unwrap_or_else(|| table.read(Reading::Kept(pipeline.uid), &[0, 1]));
            assert!(read(&mut reader, &mut pipeline.seen, &mut rng, 10_000), "seed {seed}: no end");
            assert_eq!(pipeline.seen, content(&table), "seed {seed}, {:?}", pipeline.uid);
            assert_eq!(reader.backlog(), 0);
        }
    }
}

#[test]
fn a_reader_that_stands_still_costs_the_keys_that_changed() {
    let table = Arc::new(KeyedTable::new(schema(), &[1], TableMode::Keyed));
    let rows: Vec<_> = (0..500).map(|k| (RowKind::Insert, k, "a".to_string())).collect();
    write(&table, &rows);
    table.publish(cut(1), 0);
    let mut rng = Rng::seeded(1);
    let (mut seen, mut late) = (Seen::new(), Seen::new());
    let mut reader = table.read(Reading::Kept(Uid(7)), &[0, 1]);
    let mut newcomer = table.read(Reading::Passing, &[0, 1]);
    assert!(read(&mut reader, &mut seen, &mut rng, 1_000));
    // Half of the first snapshot.
    assert!(!read(&mut newcomer, &mut late, &mut rng, 60));
    for epoch in 2..CHANGES_EPOCHS as u64 * 2 {
        write(&table, &[(RowKind::Insert, epoch as i64 % 10, format!("v{epoch}"))]);
        table.publish(cut(epoch), 0);
    }
    assert!(table.changes_since(cut(1)).is_none(), "the history has gone on");
    let waits = locked(&reader.follower.state).live.behind.len();
    assert!(waits <= 10, "{waits} keys are kept for it");
    let mut expected = content(&table);
    assert!(read(&mut reader, &mut seen, &mut rng, 1_000) && read(&mut newcomer, &mut late, &mut rng, 1_000));
    assert_eq!((&seen, &late), (&expected, &expected));
    // An epoch of more changes than are asked for goes in parts.
    let rows: Vec<_> = (100..400).map(|k| (RowKind::Insert, k, "b".to_string())).collect();
    write(&table, &rows);
    table.publish(cut(9_999), 0);
    let first = reader.next(50).expect("reads").expect("changes");
    assert_eq!(first.num_rows(), 100, "-U and +U of each key");
    assert!(!read(&mut reader, &mut Seen::new(), &mut rng, 0));
    expected = content(&table);
    drop(newcomer);
    assert_eq!(table.readers(), 1);
    let mut again = table.read(Reading::Passing, &[0, 1]);
    let mut all = Seen::new();
    assert!(read(&mut again, &mut all, &mut rng, 1_000));
    assert_eq!(all, expected);
    // Nothing of a reader that has gone stays in the files.
    let (mut files, mut delta) = (Files::new(), StateDelta::new());
    reader.at_barrier();
    table.cut_reader(Uid(7));
    table.freeze(ROWS, &mut delta);
    store(&mut files, &delta);
    assert!(files.keys().any(|(uid, _)| *uid == Uid(7)));
    table.forget_reader(Uid(7));
    let mut delta = StateDelta::new();
    table.freeze(ROWS, &mut delta);
    store(&mut files, &delta);
    assert!(!files.keys().any(|(uid, _)| *uid == Uid(7)));
}
