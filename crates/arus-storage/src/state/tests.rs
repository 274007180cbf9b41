use std::collections::BTreeMap;
use std::path::Path;

use arus_core::error::Code;
use arus_core::fs::Fs;
use arus_core::key_group::KEY_GROUPS;
use arus_core::plan::Uid;
use arus_core::read::Cut;
use arus_core::rng::Rng;

use super::*;
use crate::sim::{Fault, MemoryFs};

const DIR: &str = "/state";

type Model = BTreeMap<(Uid, u16, Vec<u8>), Vec<u8>>;

fn disk() -> (MemoryFs, StateStore) {
    let fs = MemoryFs::new();
    fs.create_dir_all(Path::new(DIR)).expect("creates");
    fs.sync_dir(Path::new("/")).expect("syncs");
    let store = StateStore::open(fs.shared(), Path::new(DIR)).expect("opens");
    (fs, store)
}

fn cut(epoch: u64) -> Cut {
    Cut { incarnation: 1, epoch }
}

fn restore(store: &StateStore, files: &[StateFileRef], groups: std::ops::Range<u16>) -> arus_core::Result<Model> {
    let mut model = Model::new();
    let mut last = None;
    store.restore(files, groups, |uid, group, key, value| {
        let place = (uid, group, key.to_vec());
        assert!(last.as_ref().is_none_or(|last| *last < place), "sorted, each key once");
        last = Some(place.clone());
        model.insert(place, value.to_vec());
        Ok(())
    })?;
    Ok(model)
}

fn change(rng: &mut Rng, model: &mut Model, delta: &mut StateDelta) {
    let uid = Uid(rng.below(3) * 77);
    let group = rng.below(KEY_GROUPS.into()) as u16;
    // Shorter and longer than what is compared first.
    let (number, width) = (rng.below(20), [1, 4, 12][rng.below(3) as usize]);
    let key = format!("key {number:0width$}").into_bytes();
    if rng.below(4) == 0 {
        delta.put_in(uid, group, &key, None);
        model.remove(&(uid, group, key));
    } else {
        let length = if rng.below(50) == 0 { 100_000 } else { rng.below(40) };
        let value: Vec<u8> = (0..length).map(|i| (i * 31 + rng.below(2)) as u8).collect();
        delta.put_in(uid, group, &key, Some(&value));
        model.insert((uid, group, key), value);
    }
}

/// Deltas, merges and restores at random against a map.
#[test]
fn files_add_up_to_the_state() {
    for seed in 0..60 {
        let mut rng = Rng::seeded(seed);
        let (fs, store) = disk();
        let mut model = Model::new();
        let mut files: Vec<StateFileRef> = vec![];
        for epoch in 1..12 {
            // That of an abandoned checkpoint stands before the one that followed.
            let mut all = StateDelta::new();
            for _ in 0..rng.below(3) {
                let mut delta = StateDelta::new();
                (0..rng.below(400)).for_each(|_| change(&mut rng, &mut model, &mut delta));
                all.append(delta);
            }
            files.push(store.write_delta(cut(epoch), &all).expect("writes"));
            match rng.below(4) {
                0 => files = vec![store.merge(&files, true).expect("merges")],
                1 if files.len() > 2 => {
                    let merged = store.merge(&files[1..], false).expect("merges");
                    files.truncate(1);
                    files.push(merged);
                }
                _ => {}
            }
            store.remove_unreferenced(&files, None).expect("removes");
            assert_eq!(fs.files().len(), files.len());
        }
        let after = MemoryFs::shared(&fs.crash(seed));
        let store = StateStore::open(after, Path::new(DIR)).expect("opens");
        assert_eq!(restore(&store, &files, 0..KEY_GROUPS).expect("restores"), model, "seed {seed}");
        let mut parts = Model::new();
        let bound = rng.below(KEY_GROUPS.into()) as u16;
        for groups in [0..bound, bound..KEY_GROUPS] {
            let part = restore(&store, &files, groups.clone()).expect("restores");
            assert!(part.keys().all(|(_, group, _)| groups.contains(group)));
            parts.extend(part);
        }
        assert_eq!(parts, model, "seed {seed}");
        let full = store.merge(&files, true).expect("merges");
        assert_eq!(full.entries as usize, model.len(), "no trace of deleted keys");
    }
}

#[test]
fn every_flipped_bit_of_a_file_is_found() {
    let (fs, store) = disk();
    let mut delta = StateDelta::new();
    for i in 0..200u32 {
        delta.put(Uid(u64::from(i % 3)), &i.to_be_bytes(), Some(&[i as u8; 40]));
    }
    let file = store.write_delta(cut(1), &delta).expect("writes");
    let path = Path::new(DIR).join(&file.name);
    let good = fs.read(&path).expect("reads");
    let right = restore(&store, std::slice::from_ref(&file), 0..KEY_GROUPS).expect("restores");
    for bit in 0..good.len() * 8 {
        fs.damage(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8)).expect("exists");
        let error = restore(&store, std::slice::from_ref(&file), 0..KEY_GROUPS).expect_err("is found");
        assert_eq!(error.code(), Code::Corrupt, "bit {bit}: {error}");
        assert!(error.message().contains(&file.name));
        fs.damage(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8)).expect("exists");
    }
    for len in 0..good.len() {
        fs.damage(&path, |bytes| bytes.truncate(len)).expect("exists");
        assert!(restore(&store, std::slice::from_ref(&file), 0..KEY_GROUPS).is_err(), "cut at {len}");
        fs.damage(&path, |bytes| *bytes = good.clone()).expect("exists");
    }
    assert_eq!(restore(&store, &[file], 0..KEY_GROUPS).expect("restores"), right);
}

#[test]
fn a_failed_write_leaves_no_file_and_the_next_one_works() {
    for n in 1..4 {
        for fault in [Fault::WriteNoSpace, Fault::Write, Fault::Sync].map(|f| f(n)) {
            let (fs, store) = disk();
            let mut delta = StateDelta::new();
            delta.put(Uid(1), b"k", Some(b"v"));
            let offset = match fault {
                Fault::Sync(n) => Fault::Sync(fs.syncs() + n),
                other => other,
            };
            fs.set_fault(Some(offset));
            let first = store.write_delta(cut(1), &delta);
            fs.set_fault(None);
            if first.is_err() {
                assert_eq!(fs.files(), Vec::<std::path::PathBuf>::new());
            }
            let file = store.write_delta(cut(2), &delta).expect("writes");
            let after = StateStore::open(fs.crash(n).shared(), Path::new(DIR)).expect("opens");
            assert_eq!(restore(&after, &[file], 0..KEY_GROUPS).expect("restores").len(), 1);
        }
    }
}
