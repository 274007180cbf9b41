use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arus_core::catalog::ObjectPath;
use arus_core::error::Code;
use arus_core::fs::Fs;
use arus_core::read::Cut;
use arus_core::rng::Rng;

use super::*;
use crate::sim::{Fault, MemoryFs};

const ROOT: &str = "/data";

fn open(fs: &MemoryFs) -> Result<Manifest> {
    let folder = DataFolder::open(fs.shared(), Path::new(ROOT))?;
    Manifest::open_with_limit(&folder, 5, 4_000)
}

fn item(id: u64) -> Change {
    Change::Put(CatalogItem {
        id,
        kind: "table".into(),
        path: ObjectPath::in_default(format!("t{id}")),
        sql: format!("CREATE TABLE t{id} (a INT)"),
        topic: Some(id),
        partitions: Some(1),
        extra: serde_json::Value::Null,
    })
}

fn checkpoint(incarnation: u64, epoch: u64) -> Change {
    let task = serde_json::json!({"0": {"position": epoch, "watermark": -1}});
    let pipeline = PipelineCheckpoint { deployment: "d".into(), task, sinks: BTreeMap::new() };
    Change::Checkpoint(Box::new(Checkpoint {
        cut: Cut { incarnation, epoch },
        as_of_ms: 7,
        pipelines: BTreeMap::from([(3, pipeline)]),
        markers: BTreeMap::from([(1, vec![epoch as i64])]),
        synced: BTreeMap::from([(2, vec![epoch as i64, 4])]),
        changed: BTreeMap::from([(3, Cut { incarnation, epoch })]),
        files: vec![],
        outboxes: vec![],
        marks: vec![],
        next_id: 0,
    }))
}

/// An id that was given out and is in no record of the catalog may have state in the files of a checkpoint.
#[test]
fn ids_that_a_checkpoint_may_know_are_not_given_out_again() {
    let fs = MemoryFs::new();
    let mut manifest = open(&fs).expect("opens");
    let Change::Checkpoint(mut checkpoint) = checkpoint(1, 1) else { panic!("a checkpoint") };
    checkpoint.next_id = 9;
    manifest.append(&[item(3), Change::Checkpoint(checkpoint), item(4)]).expect("appends");
    drop(manifest);
    assert_eq!(open(&fs.crash(1)).expect("opens").state().next_id, 9);
}

/// The state without what every start changes.
fn content(state: &ManifestState) -> ManifestState {
    ManifestState { incarnation: 0, started_ms: 0, ..state.clone() }
}

fn path() -> std::path::PathBuf {
    Path::new(ROOT).join("manifest")
}

#[test]
fn records_fold_over_starts_and_rotations() {
    let mut fs = MemoryFs::new();
    let mut expected = ManifestState::new();
    let mut epoch = 0;
    for start in 1..=6 {
        let mut manifest = open(&fs).expect("opens");
        assert_eq!((manifest.state().incarnation, manifest.state().started_ms), (start, 5));
        assert_eq!(content(manifest.state()), content(&expected));
        for _ in 0..20 {
            epoch += 1;
            let changes = [item(epoch), checkpoint(start, epoch), Change::Delete { id: epoch - 1 }];
            manifest.append(&changes).expect("appends");
            changes.iter().for_each(|c| expected.apply(c));
        }
        assert_eq!(content(manifest.state()), content(&expected));
        assert!(manifest.bytes() < 20_000, "it was rotated");
        assert_eq!(manifest.state().next_id, epoch + 1);
        fs = fs.crash(start);
    }
}

#[test]
fn a_second_server_is_refused_by_process_id() {
    let fs = MemoryFs::new();
    let folder = DataFolder::open(fs.shared(), Path::new(ROOT)).expect("opens");
    let error = DataFolder::open(fs.shared(), Path::new(ROOT)).map(|_| ()).expect_err("is locked");
    let expected = format!("data folder /data is in use by process {}", std::process::id());
    assert_eq!((error.message(), error.code()), (expected.as_str(), Code::Conflict));
    assert!(error.hint().expect("has a hint").contains("--data"));
    drop(folder);
    DataFolder::open(fs.shared(), Path::new(ROOT)).expect("is free again");
    let dir = tempfile::tempdir().expect("a folder");
    let disk: SharedFs = Arc::new(crate::DiskFs);
    let real = DataFolder::open(disk.clone(), &dir.path().join("data")).expect("opens");
    assert!(DataFolder::open(disk, real.root()).is_err());
    assert!(real.used_bytes().expect("counts") > 0 && real.free_bytes().expect("asks") > 0);
}

/// A manifest and the folded state after each of its records.
fn written(fs: &MemoryFs) -> Vec<ManifestState> {
    let mut manifest = open(fs).expect("opens");
    manifest.rotate_at = u64::MAX;
    let mut states = vec![content(manifest.state())];
    for epoch in 1..=12 {
        manifest.append(&[item(epoch), checkpoint(1, epoch)]).expect("appends");
        states.push(content(manifest.state()));
    }
    states
}

#[test]
fn a_torn_last_record_is_cut_at_every_byte() {
    let base = MemoryFs::new();
    let states = written(&base);
    let whole = base.read(&path()).expect("reads");
    let record = frame(13, &[item(12), checkpoint(1, 12)]).expect("encodes").len();
    let mut rng = Rng::seeded(2);
    for at in whole.len() - 2 * record..whole.len() {
        for kind in 0..3 {
            let fs = base.kill();
            fs.damage(&path(), |bytes| match kind {
                0 => bytes.truncate(at),
                1 => bytes[at..].fill(0),
                _ => bytes[at..].iter_mut().for_each(|b| *b = rng.next_u64() as u8),
            })
            .expect("exists");
            let mut manifest = open(&fs).expect("starts without a hand on it");
            // Within the copy nothing is lost.
            let expected = if at < whole.len() - record { 11 } else { 12 };
            assert_eq!(content(manifest.state()), states[expected], "cut at {at}");
            assert_eq!(manifest.state().incarnation, 2);
            manifest.append(&[item(12), checkpoint(2, 12)]).expect("appends");
            let again = open(&fs.crash(at as u64)).expect("starts");
            assert_eq!(again.state().catalog, states[12].catalog);
        }
    }
}

#[test]
fn damage_in_the_middle_is_reported_and_nothing_is_cut() {
    let base = MemoryFs::new();
    let states = written(&base);
    let whole = base.read(&path()).expect("reads");
    let record = frame(13, &[item(12), checkpoint(1, 12)]).expect("encodes").len();
    for bit in 0..whole.len() * 8 {
        let fs = base.kill();
        fs.damage(&path(), |bytes| bytes[bit / 8] ^= 1 << (bit % 8)).expect("exists");
        let damaged = fs.read(&path()).expect("reads");
        match open(&fs) {
            // The last record stands twice.
            Ok(manifest) => {
                assert!(bit / 8 >= whole.len() - 2 * record, "bit {bit} was not noticed");
                assert_eq!(content(manifest.state()), states[12]);
                let said = replay(&damaged).fault.expect("it is noticed");
                let mended = bit / 8 < whole.len() - record;
                assert_eq!(said.severity, if mended { Severity::Mended } else { Severity::Torn });
            }
            Err(error) => {
                assert!(bit / 8 < whole.len() - 2 * record);
                assert!(matches!(error.code(), Code::Corrupt | Code::NotSupported), "{error}");
                assert_eq!(fs.read(&path()).expect("reads"), damaged, "the file was changed");
            }
        }
    }
}

#[test]
fn what_was_appended_survives_crashes_and_failed_calls() {
    for seed in 0..400 {
        let mut rng = Rng::seeded(seed);
        let mut fs = MemoryFs::new();
        let mut acked = 0;
        let mut incarnation = 0;
        let mut epoch = 0;
        for _ in 0..5 {
            let faulty = rng.below(2) == 0;
            if faulty {
                let n = 1 + rng.below(30);
                fs.set_fault(Some(match rng.below(3) {
                    0 => Fault::Sync(fs.syncs() + n),
                    1 => Fault::Write(fs.writes() + n),
                    _ => Fault::WriteNoSpace(fs.writes() + n),
                }));
            }
            let opened = open(&fs);
            assert!(faulty || opened.is_ok(), "seed {seed}: {:?}", opened.map(|_| ()));
            if let Ok(mut manifest) = opened {
                assert!(manifest.state().incarnation > incarnation, "seed {seed}: a number was used twice");
                incarnation = manifest.state().incarnation;
                let recovered = manifest.state().checkpoint.as_ref().map_or(0, |c| c.cut.epoch);
                assert!(recovered >= acked, "seed {seed}: {recovered} of {acked}");
                // What a start has shown must stay.
                acked = recovered;
                for _ in 0..rng.below(25) {
                    epoch += 1;
                    let result = manifest.append(&[item(epoch), checkpoint(incarnation, epoch)]);
                    match result {
                        Ok(()) => acked = epoch,
                        Err(_) if manifest.failure().is_some() => {
                            assert!(manifest.append(&[item(epoch)]).is_err(), "closed for ever");
                        }
                        Err(_) => {}
                    }
                }
            }
            fs = if rng.below(3) == 0 { fs.kill() } else { fs.crash(rng.next_u64()) };
        }
    }
}

#[test]
fn data_without_a_manifest_is_refused() {
    let fs = MemoryFs::new();
    drop(open(&fs).expect("opens"));
    fs.create_dir_all(&Path::new(ROOT).join("topics/1/0")).expect("creates");
    fs.remove_file(&path()).expect("exists");
    let error = open(&fs).map(|_| ()).expect_err("is refused");
    assert_eq!(error.code(), Code::Corrupt);
    assert!(error.message().contains("has no manifest"), "{error}");
}
