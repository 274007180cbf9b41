use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::Int64Type;
use arus_core::rng::Rng;
use arus_core::types::TypeKind;
use arus_core::{Column, RowKind};

use super::*;

fn schema() -> RowSchema {
    let column = |name: &str, kind: TypeKind| Column { name: name.into(), ty: kind.nullable() };
    RowSchema::new(vec![column("v", TypeKind::STRING), column("k", TypeKind::BigInt)])
}

fn batch(rows: &[(RowKind, i64, &str)]) -> ChangeBatch {
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|r| r.2))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1))),
    ];
    let batch = RecordBatch::try_new(schema().to_arrow(), columns).expect("is a batch");
    ChangeBatch::new(batch, rows.iter().map(|r| r.0).collect())
}

fn rows_of(batch: &RecordBatch) -> Vec<(i64, String)> {
    let (v, k) = (batch.column(0).as_string_view(), batch.column(1).as_primitive::<Int64Type>());
    (0..batch.num_rows()).map(|i| (k.value(i), v.value(i).to_string())).collect()
}

fn rows(snapshot: &TableSnapshot, limit: Option<usize>) -> Vec<(i64, String)> {
    snapshot.scan(&[0, 1], limit).flat_map(|b| rows_of(&b.expect("decodes"))).collect()
}

fn cut(epoch: u64) -> Cut {
    Cut { incarnation: 1, epoch }
}

fn own(rows: &[(i64, &str)]) -> Vec<(i64, String)> {
    rows.iter().map(|(k, v)| (*k, v.to_string())).collect()
}

use RowKind::{Delete, Insert, UpdateAfter, UpdateBefore};

#[test]
fn a_reader_sees_whole_epochs_and_their_net_changes() {
    let table = KeyedTable::new(schema(), &[1], TableMode::Keyed);
    let mut newest = table.subscribe();
    table.apply(&batch(&[(Insert, 2, "two"), (Insert, -1, "minus")])).expect("applies");
    assert!(table.snapshot().is_empty());
    table.publish(cut(1), 10);
    assert!(newest.has_changed().expect("lives") && *newest.borrow_and_update() == cut(1));
    let first = table.snapshot();
    table
        .apply(&batch(&[
            (UpdateBefore, 2, "two"),
            (UpdateAfter, 2, "zwei"),
            (Delete, -1, "minus"),
            (Insert, 9, "gone"),
            (Delete, 9, "gone"),
            (Insert, 5, "five"),
        ]))
        .expect("applies");
    table.publish(cut(2), 20);
    table.publish(cut(3), 30);
    assert_eq!(rows(&first, None), own(&[(-1, "minus"), (2, "two")]));
    let second = table.snapshot();
    assert_eq!((second.cut(), second.as_of_ms(), second.len()), (cut(3), 30, 2));
    assert_eq!(rows(&second, None), own(&[(2, "zwei"), (5, "five")]));
    assert_eq!(rows(&second, Some(1)), own(&[(2, "zwei")]));
    let changes = table.changes_since(cut(1)).expect("are known");
    assert_eq!(changes.iter().map(|c| c.cut).collect::<Vec<_>>(), vec![cut(2)]);
    let changed = changes[0].batch().expect("decodes");
    assert_eq!(changed.kinds().expect("has kinds"), [Delete, UpdateBefore, UpdateAfter, Insert]);
    assert_eq!(rows_of(changed.rows()), own(&[(-1, "minus"), (2, "two"), (2, "zwei"), (5, "five")]));
    assert_eq!(table.changes_since(cut(2)).expect("are known").len(), 0);
    assert!(table.changes_since(cut(4)).is_none(), "not yet");
    assert!(table.changes_since(Cut { incarnation: 0, epoch: 7 }).is_none(), "of another start");
    let keys = second.encode_keys(&[Arc::new(Int64Array::from(vec![5, 6]))], 2).expect("encodes");
    assert_eq!(rows_of(&second.get(keys.get(0)).expect("decodes").expect("is there")), own(&[(5, "five")]));
    assert!(second.get(keys.get(1)).expect("decodes").is_none());
    let only_key = second.scan(&[1], None).next().expect("a batch").expect("decodes");
    assert_eq!((only_key.num_columns(), only_key.num_rows()), (1, 2));
    assert_eq!(second.scan(&[], None).next().expect("a batch").expect("decodes").num_rows(), 2);
}

#[test]
fn counts_repeat_rows_and_hide_missing_ones() {
    let table = KeyedTable::new(schema(), &[], TableMode::Counted);
    table.apply(&batch(&[(Insert, 1, "a"), (Insert, 1, "a"), (Insert, 2, "b"), (Delete, 3, "c")])).expect("applies");
    table.publish(cut(1), 0);
    assert_eq!(rows(&table.snapshot(), None), own(&[(1, "a"), (1, "a"), (2, "b")]));
    assert_eq!(rows(&table.snapshot(), Some(1)), own(&[(1, "a")]));
    table.apply(&batch(&[(UpdateBefore, 1, "a"), (UpdateAfter, 2, "b"), (Insert, 3, "c")])).expect("applies");
    table.publish(cut(2), 0);
    assert_eq!(rows(&table.snapshot(), None), own(&[(1, "a"), (2, "b"), (2, "b")]));
    assert_eq!(table.snapshot().len(), 3);
    let changed = table.changes_since(cut(1)).expect("are known")[0].batch().expect("decodes");
    assert_eq!(rows_of(changed.rows()), own(&[(1, "a"), (2, "b")]));
    assert_eq!(changed.kinds().expect("has kinds"), [Delete, Insert]);
    // Far more copies than a batch has rows.
    let many = vec![(Insert, 7, "x"); 20_000];
    table.apply(&batch(&many)).expect("applies");
    table.publish(cut(3), 0);
    assert_eq!(rows(&table.snapshot(), None).iter().filter(|r| r.0 == 7).count(), 20_000);
}

#[test]
fn a_capped_table_forgets_what_came_first() {
    let table = KeyedTable::new(schema(), &[1], TableMode::Capped(3));
    for key in [9, 3, 7, 5] {
        table.apply(&batch(&[(Insert, key, "v")])).expect("applies");
    }
    table.apply(&batch(&[(Insert, 3, "again")])).expect("applies");
    table.publish(cut(1), 0);
    assert_eq!(rows(&table.snapshot(), None), own(&[(3, "again"), (5, "v"), (7, "v")]));
    assert_eq!(table.rows_ever(), 4, "a row that comes again is the same one");
    let restored = freeze_and_restore(&table, TableMode::Capped(3), cut(1));
    restored.apply(&batch(&[(Insert, 1, "new")])).expect("applies");
    restored.publish(cut(2), 0);
    assert_eq!(rows(&restored.snapshot(), None), own(&[(1, "new"), (5, "v"), (7, "v")]));
    assert_eq!((restored.snapshot().len(), restored.rows_ever()), (3, 1));
}

fn freeze_and_restore(table: &KeyedTable, mode: TableMode, cut: Cut) -> KeyedTable {
    let mut delta = StateDelta::new();
    table.freeze(Uid(4), &mut delta);
    let restored = KeyedTable::new(schema(), table.key(), mode);
    for entry in delta.iter() {
        if let Some(value) = entry.value {
            restored.restore_entry(entry.key, value).expect("restores");
        }
    }
    restored.finish_restore(cut, 0);
    restored
}

/// Random changes, published and frozen at random, restored at random: equal to a map.
#[test]
fn freezes_add_up_to_the_table() {
    for seed in 0..100 {
        let mut rng = Rng::seeded(seed);
        let mut table = KeyedTable::new(schema(), &[1], TableMode::Keyed);
        let mut model: BTreeMap<i64, String> = BTreeMap::new();
        let mut at_rest: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut saved = model.clone();
        let mut epoch = 0;
        for _ in 0..60 {
            match rng.below(6) {
                0 => {
                    let mut delta = StateDelta::new();
                    let frozen_first = rng.below(2) == 0;
                    epoch += 1;
                    if !frozen_first {
                        table.publish(cut(epoch), 0);
                    }
                    table.freeze(Uid(1), &mut delta);
                    if frozen_first {
                        table.publish(cut(epoch), 0);
                    }
                    for entry in delta.iter() {
                        match entry.value {
                            Some(value) => at_rest.insert(entry.key.to_vec(), value.to_vec()),
                            None => at_rest.remove(entry.key),
                        };
                    }
                    saved = model.clone();
                }
                1 => {
                    epoch += 1;
                    table.publish(cut(epoch), 0);
                }
                2 if rng.below(4) == 0 => {
                    table = KeyedTable::new(schema(), &[1], TableMode::Keyed);
                    for (key, value) in &at_rest {
                        table.restore_entry(key, value).expect("restores");
                    }
                    table.finish_restore(cut(epoch), 0);
                    model = saved.clone();
                    assert_eq!(rows(&table.snapshot(), None), model.clone().into_iter().collect::<Vec<_>>());
                }
                _ => {
                    let key = rng.below(12) as i64;
                    let value = format!("{}", rng.below(3));
                    let kind = [Insert, UpdateBefore, UpdateAfter, Delete][rng.below(4) as usize];
                    match kind {
                        Insert | UpdateAfter => model.insert(key, value.clone()),
                        Delete | UpdateBefore => model.remove(&key),
                    };
                    table.apply(&batch(&[(kind, key, &value)])).expect("applies");
                }
            }
        }
        table.publish(cut(epoch + 1), 0);
        assert_eq!(rows(&table.snapshot(), None), model.into_iter().collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn old_changes_are_dropped_and_a_restore_keeps_its_cut() {
    let table = KeyedTable::new(schema(), &[1], TableMode::Keyed);
    let limit = arus_core::limits::CHANGES_EPOCHS as u64;
    for epoch in 1..=limit + 10 {
        table.apply(&batch(&[(Insert, epoch as i64, "v")])).expect("applies");
        table.publish(cut(epoch), 0);
    }
    assert!(table.changes_since(cut(9)).is_none());
    assert_eq!(table.changes_since(cut(10)).expect("are known").len() as u64, limit);
    let restored = freeze_and_restore(&table, TableMode::Keyed, cut(50));
    let after = Cut { incarnation: 2, epoch: 51 };
    restored.apply(&batch(&[(Insert, 1, "w")])).expect("applies");
    restored.publish(after, 0);
    assert_eq!(restored.changes_since(cut(50)).expect("the restored checkpoint").len(), 1);
    assert!(restored.changes_since(cut(51)).is_none(), "an epoch that was lost");
    assert_eq!(restored.changes_since(after).expect("is known").len(), 0);
    assert_eq!(
        restored.snapshot().scan(&[0], None).map(|b| b.expect("decodes").column(0).len()).sum::<usize>(),
        limit as usize + 10
    );
}

#[test]
fn a_roll_back_shows_as_changes_and_is_frozen() {
    for mode in [TableMode::Keyed, TableMode::Counted] {
        let key: &[usize] = if mode == TableMode::Counted { &[] } else { &[1] };
        let table = KeyedTable::new(schema(), key, mode);
        table.apply(&batch(&[(Insert, 1, "a"), (Insert, 2, "b"), (Insert, 2, "b")])).expect("applies");
        table.publish(cut(1), 0);
        let mut delta = StateDelta::new();
        table.freeze(Uid(1), &mut delta);
        table.apply(&batch(&[(Delete, 1, "a"), (Insert, 3, "c")])).expect("applies");
        table.publish(cut(2), 0);
        table.apply(&batch(&[(Insert, 2, "b"), (Insert, 4, "d")])).expect("applies");
        let before = rows(&table.snapshot(), None);
        table.roll_back(delta.iter().filter_map(|e| Some((e.key, e.value?))));
        assert_eq!(rows(&table.snapshot(), None), before, "until the epoch ends");
        table.publish(cut(3), 0);
        let kept: &[(i64, &str)] =
            if mode == TableMode::Keyed { &[(1, "a"), (2, "b")] } else { &[(1, "a"), (2, "b"), (2, "b")] };
        assert_eq!(rows(&table.snapshot(), None), own(kept));
        assert_eq!(table.snapshot().len(), kept.len() as u64);
        let changes = table.changes_since(cut(2)).expect("known");
        assert_eq!(changes.len(), 1);
        let batch = changes[0].batch().expect("decodes");
        let kinds: Vec<_> = (0..batch.num_rows()).map(|row| batch.kind(row)).collect();
        assert_eq!(kinds, [Insert, Delete], "+I of 1, -D of 3; 2 and 4 are as they were");
        // What a checkpoint writes now is the same again.
        table.freeze(Uid(1), &mut delta);
        let restored = KeyedTable::new(schema(), key, mode);
        for entry in delta.sorted() {
            if let Some(value) = entry.value {
                restored.restore_entry(entry.key, value).expect("restores");
            }
        }
        restored.finish_restore(cut(3), 0);
        assert_eq!(rows(&restored.snapshot(), None), own(kept));
    }
}

#[test]
fn a_reader_of_the_last_change_goes_on_after_a_restore() {
    let table = KeyedTable::new(schema(), &[1], TableMode::Keyed);
    let at = |incarnation, epoch| Cut { incarnation, epoch };
    table.finish_restore(at(2, 9), 0);
    assert!(table.changes_since(at(2, 8)).is_none());
    table.set_unchanged_since(at(2, 5));
    assert_eq!(table.last_change(), at(2, 5));
    table.apply(&batch(&[(Insert, 1, "a")])).expect("applies");
    table.publish(at(3, 10), 0);
    for known in [at(2, 5), at(2, 7), at(2, 9)] {
        assert_eq!(table.changes_since(known).expect("known").len(), 1, "{known:?}");
    }
    for unknown in [at(1, 9), at(2, 4), at(2, 10), at(3, 11)] {
        assert!(table.changes_since(unknown).is_none(), "{unknown:?}");
    }
    assert_eq!(table.last_change(), at(3, 10));
    // Two starts later the last change alone is sure: other epochs of that start may have been void.
    table.finish_restore(at(4, 12), 0);
    table.set_unchanged_since(at(3, 10));
    assert!(table.changes_since(at(3, 10)).is_some() && table.changes_since(at(3, 11)).is_none());
}

/// As a barrier does it: the version is sealed and cut, writers go on, and what it was is found out then.
#[test]
fn writers_go_on_before_a_version_is_revealed() {
    let many: Vec<(RowKind, i64, String)> = (0..3_000).map(|n| (Insert, n, format!("{n}"))).collect();
    let many: Vec<(RowKind, i64, &str)> = many.iter().map(|(kind, n, s)| (*kind, *n, s.as_str())).collect();
    let table = KeyedTable::new(schema(), &[1], TableMode::Keyed);
    table.apply(&batch(&many)).expect("applies");
    let version = table.seal(cut(1), 0);
    let taken = table.cut(Uid(1));
    table.apply(&batch(&[(Insert, 7, "later"), (Delete, 8, ""), (Insert, 9_999, "later")])).expect("applies");
    assert_eq!(table.snapshot().len(), 0, "nobody reads it yet");
    table.reveal(version);
    assert_eq!(table.snapshot().len(), 3_000);
    let mut delta = StateDelta::new();
    taken.put(&mut delta);
    assert_eq!(delta.sorted().len(), 3_000, "as of the barrier");
    let first = table.changes_since(Cut { incarnation: 0, epoch: 0 }).expect("known");
    assert_eq!(first[0].batch().expect("decodes").num_rows(), 3_000);

    table.publish(cut(2), 0);
    assert_eq!(table.snapshot().len(), 3_000, "one more, one less");
    let mut delta = StateDelta::new();
    table.freeze(Uid(1), &mut delta);
    assert_eq!(delta.sorted().len(), 3, "what came behind the barrier, and that alone");

    // Many keys that end as they began are no change, but that is found out only when somebody asks.
    table.apply(&batch(&many)).expect("applies");
    table.publish(cut(3), 0);
    table.apply(&batch(&many)).expect("applies");
    table.publish(cut(4), 0);
    let changes = table.changes_since(cut(3)).expect("known");
    assert_eq!(changes[0].batch().expect("decodes").num_rows(), 0);
    assert!(changes[0].is_empty(), "now it is known");
}

#[test]
fn without_a_checkpoint_touched_keys_are_bounded() {
    let table = KeyedTable::new(schema(), &[1], TableMode::Keyed);
    let round =
        |from: i64| -> Vec<(RowKind, i64, &'static str)> { (from..from + 9_000).map(|n| (Insert, n, "x")).collect() };
    for epoch in 0..40 {
        table.apply(&batch(&round(epoch % 2 * 1_000))).expect("applies");
        table.publish(cut(epoch as u64 + 1), 0);
        assert!(locked(&table.writer).dirty.len <= DIRTY_KEYS);
    }
    let mut delta = StateDelta::new();
    table.freeze(Uid(1), &mut delta);
    assert_eq!(delta.sorted().len(), 10_000);
    table.publish(cut(50), 0);
    let mut delta = StateDelta::new();
    table.freeze(Uid(1), &mut delta);
    assert!(delta.is_empty());
}
