use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringViewArray};
use arus_core::delivery::OutboxRead;
use arus_core::fs::Fs;
use arus_core::{Column, TypeKind};

use super::*;
use crate::sim::{Fault, MemoryFs};

const DIR: &str = "/outbox";
const OWNER: OutboxOwner = OutboxOwner { pipeline: 7, sink: Uid(99) };
const CUT: Cut = Cut { incarnation: 2, epoch: 30 };

fn schema() -> RowSchema {
    let column = |name: &str, kind: TypeKind| Column { name: name.into(), ty: kind.nullable() };
    RowSchema::new(vec![column("id", TypeKind::BigInt), column("name", TypeKind::STRING)])
}

fn rows(ids: std::ops::Range<i64>) -> OutboxRows {
    let names = ids.clone().map(|id| (id % 3 != 0).then(|| format!("name of {id} {}", "x".repeat(id as usize % 100))));
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(ids.clone())), Arc::new(StringViewArray::from_iter(names))];
    let codec = RowCodec::new(schema().types().cloned());
    let encoded = codec.encode(&columns, columns[0].len()).expect("encodes");
    let kinds = ids.map(|id| if id % 5 == 0 { RowKind::Delete as u8 } else { RowKind::UpdateAfter as u8 }).collect();
    OutboxRows { kinds, bytes: encoded.bytes, ends: encoded.ends }
}

fn store(fs: &MemoryFs) -> OutboxStore {
    fs.create_dir_all(Path::new(DIR)).expect("creates");
    fs.sync_dir(Path::new("/")).expect("syncs");
    OutboxStore::open(fs.shared(), Path::new(DIR)).expect("opens")
}

fn ids(store: &OutboxStore, outbox: &OutboxRef) -> Result<Vec<(i64, bool)>> {
    let mut reader = store.read(outbox)?;
    let mut found = vec![];
    while let Some(batch) = reader.next()? {
        let column = batch.rows().column(0).as_any().downcast_ref::<Int64Array>().expect("ids").clone();
        found.extend((0..batch.num_rows()).map(|row| (column.value(row), batch.kind(row).adds())));
    }
    Ok(found)
}

#[test]
fn what_was_synced_comes_out_after_a_power_failure() {
    let fs = MemoryFs::new();
    let store = store(&fs);
    let mut all = rows(0..3_000);
    all.append(&rows(3_000..5_000));
    let outbox = store.write(OWNER, CUT, &schema(), &all).expect("writes");
    store.sync().expect("syncs");
    let after = fs.crash(1);
    let store = OutboxStore::open(after.shared(), Path::new(DIR)).expect("opens");
    let found = ids(&store, &outbox).expect("reads");
    assert_eq!(found, (0..5_000).map(|id| (id, id % 5 != 0)).collect::<Vec<_>>());
    let picked = store.read(&outbox).and_then(|mut r| r.rows_at(&[0, 17, 4_999])).expect("reads");
    let numbers: Vec<i64> = picked
        .iter()
        .map(|b| b.rows().column(0).as_any().downcast_ref::<Int64Array>().expect("ids").value(0))
        .collect();
    assert_eq!(numbers, [0, 17, 4_999]);
    assert_eq!(store.remove_unreferenced(std::slice::from_ref(&outbox)).expect("lists"), 0);
    assert_eq!(store.remove_unreferenced(&[]).expect("removes"), 1);
}

/// Every byte that is changed or cut off is found, with the place named; nothing is ever read wrongly.
#[test]
fn damage_is_found() {
    let fs = MemoryFs::new();
    let store = store(&fs);
    let outbox = store.write(OWNER, CUT, &schema(), &rows(0..40)).expect("writes");
    let path = Path::new(DIR).join(&outbox.name);
    let bytes = fs.read(&path).expect("reads");
    let put = |bytes: &[u8]| {
        let file = fs.open_append(&path).expect("opens");
        file.truncate(0).expect("cuts");
        file.append(bytes).expect("writes");
    };
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        put(&changed);
        let error = ids(&store, &outbox).expect_err("damage");
        assert!(error.message().contains("is damaged at byte"), "{at}: {error}");
        put(&bytes[..at]);
        ids(&store, &outbox).expect_err("a cut file");
    }
    put(&bytes);
    assert_eq!(ids(&store, &outbox).expect("reads").len(), 40);
    let other = OutboxRef { cut: Cut { incarnation: 2, epoch: 31 }, ..outbox };
    ids(&store, &other).expect_err("another checkpoint");
}

#[test]
fn a_full_disk_leaves_no_file() {
    let fs = MemoryFs::new();
    let store = store(&fs);
    fs.set_fault(Some(Fault::WriteNoSpace(fs.writes() + 1)));
    let error = store.write(OWNER, CUT, &schema(), &rows(0..10)).expect_err("no space");
    assert_eq!(error.code(), Code::DiskFull);
    assert_eq!(fs.list(Path::new(DIR)).expect("lists").len(), 0);
}
