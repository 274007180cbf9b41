use std::path::Path;

use arus_core::error::Code;
use arus_core::fs::Fs;
use arus_core::rng::Rng;

use super::*;
use crate::DataFolder;
use crate::log::KnownEnd;
use crate::manifest::Manifest;
use crate::sample::{self, Content};
use crate::sim::{Fault, MemoryFs};

const ROOT: &str = "/data";
const BACKUP: &str = "/kept/monday";
const NOW_MS: i64 = 1_700_000_000_000;

fn folder() -> MemoryFs {
    let fs = MemoryFs::new();
    sample::write(fs.shared(), Path::new(ROOT)).expect("writes");
    fs.kill()
}

fn content(fs: &MemoryFs, root: &str) -> Content {
    sample::open(fs.kill().shared(), Path::new(root)).expect("opens")
}

/// A server's view of the folder: what [`pin`] is called with.
fn pinned(fs: &MemoryFs, name: &str) -> Pinned {
    let folder = DataFolder::open(fs.shared(), Path::new(ROOT)).expect("opens");
    let manifest = Manifest::open(&folder, 5_000).expect("opens");
    let state = manifest.state().clone();
    let checkpoint = state.checkpoint.clone().expect("there is one");
    let log = sample::log(fs.shared(), &folder).expect("opens");
    for id in state.catalog.values().filter_map(|item| item.topic) {
        let known = match checkpoint.markers.get(&id) {
            Some(ends) => KnownEnd::Pipeline(ends[0]),
            None => KnownEnd::Client(checkpoint.synced[&id][0]),
        };
        log.open_topic(id, &id.to_string(), &[known]).expect("opens");
    }
    // Rows come in behind the checkpoint: they are in the folder and not in the backup.
    let events = log.topic(2).expect("exists");
    for i in 40..44 {
        events.partitions()[0].append_idempotent(sample::key(i).as_bytes(), &sample::request(i)).expect("appends");
    }
    log.sync_all().expect("syncs");
    let pinned = pin(&folder, &log, &state, name).expect("pins");
    // What the server does afterwards changes nothing: a topic is dropped, state files go.
    log.drop_topic(2).expect("drops");
    for file in fs.list(&folder.state()).expect("lists") {
        fs.remove_file(&file.path).expect("removes");
    }
    pinned
}

#[test]
fn a_backup_is_the_checkpoint_whatever_the_server_does() {
    for link in [true, false] {
        let fs = folder();
        let right = content(&fs, ROOT);
        let pinned = pinned(&fs, "1");
        let list = write(&fs.shared(), &pinned, Path::new(BACKUP), link, "0", NOW_MS).expect("writes");
        assert_eq!((Some(list.cut), list.files.len()), (right.checkpoint, pinned.files.len()));
        unpin(&fs.shared(), &pinned.folder).expect("removes");
        assert_eq!(crate::doctor::examine(&fs.shared(), Path::new(BACKUP)).expect("examines").damages(), 0);
        let after = fs.crash(3);
        assert_eq!(verify(&after.shared(), Path::new(BACKUP)).expect("is whole"), list);
        let restored = restore(&after.shared(), Path::new(BACKUP), Path::new("/new"), NOW_MS).expect("restores");
        assert_eq!(Some(restored.cut), right.checkpoint);
        let after = after.crash(4);
        assert_eq!(content(&after, "/new"), right);
        let folder = DataFolder::open(after.shared(), Path::new("/new")).expect("opens");
        let manifest = Manifest::open(&folder, NOW_MS).expect("opens");
        assert_eq!(manifest.state().incarnation, NOW_MS as u64 / 1_000 + 1, "no number is used twice");
        // The backup is as it was, although the new folder was started and written.
        assert_eq!(verify(&after.shared(), Path::new(BACKUP)).expect("is whole"), list);
        let refused = restore(&after.shared(), Path::new(BACKUP), Path::new("/new"), NOW_MS).expect_err("is refused");
        assert_eq!(refused.code(), Code::Conflict);
    }
}

#[test]
fn a_stopped_folder_is_copied_as_it_is() {
    let fs = folder();
    let right = content(&fs, ROOT);
    let pinned = pin_stopped(&fs.shared(), Path::new(ROOT)).expect("lists");
    write(&fs.shared(), &pinned, Path::new(BACKUP), true, "0", NOW_MS).expect("writes");
    restore(&fs.shared(), Path::new(BACKUP), Path::new("/new"), NOW_MS).expect("restores");
    assert_eq!(content(&fs, "/new"), right);
}

#[test]
fn every_damaged_file_of_a_backup_is_named_and_nothing_is_written() {
    let fs = folder();
    let pinned = pin_stopped(&fs.shared(), Path::new(ROOT)).expect("lists");
    let list = write(&fs.shared(), &pinned, Path::new(BACKUP), false, "0", NOW_MS).expect("writes");
    let mut rng = Rng::seeded(5);
    let refused = |fs: &MemoryFs, named: &str| {
        let error = restore(&fs.shared(), Path::new(BACKUP), Path::new("/new"), NOW_MS).expect_err("is refused");
        assert!(error.message().contains(named), "'{named}': {error}");
        assert!(!fs.exists(Path::new("/new")).expect("looks"), "nothing was written");
    };
    let names = list.files.iter().map(|f| f.path.as_str()).chain(["BACKUP"]);
    for name in names {
        let path = Path::new(BACKUP).join(name);
        let len = fs.read(&path).expect("reads").len();
        for case in 0..40 {
            let damaged = fs.kill();
            let at = rng.below(len as u64) as usize;
            damaged
                .damage(&path, |bytes| match case {
                    0 => bytes.truncate(at),
                    1 => bytes.push(0),
                    _ => bytes[at] ^= 1 << rng.below(8),
                })
                .expect("exists");
            refused(&damaged, name);
        }
        let gone = fs.kill();
        gone.remove_file(&path).expect("removes");
        refused(&gone, name);
    }
}

#[test]
fn what_was_cut_short_is_no_backup_and_no_data_folder() {
    let whole = folder();
    let right = content(&whole, ROOT);
    for n in 1..200 {
        let fs = whole.kill();
        let pinned = pin_stopped(&fs.shared(), Path::new(ROOT)).expect("lists");
        fs.set_fault(Some(Fault::Sync(fs.syncs() + n)));
        let written = write(&fs.shared(), &pinned, Path::new(BACKUP), false, "0", NOW_MS);
        fs.set_fault(None);
        let after = fs.crash(n);
        if written.is_err() {
            let restored = restore(&after.shared(), Path::new(BACKUP), Path::new("/new"), NOW_MS);
            assert!(restored.is_err() || content(&after, "/new") == right, "sync {n}");
            continue;
        }
        let fs = after;
        fs.set_fault(Some(Fault::Sync(fs.syncs() + n)));
        let restored = restore(&fs.shared(), Path::new(BACKUP), Path::new("/new"), NOW_MS);
        let after = fs.crash(n);
        match (restored.is_ok(), sample::open(after.kill().shared(), Path::new("/new"))) {
            (true, started) => assert_eq!(started.expect("opens"), right),
            // Either nothing is there, or it is refused, or it is whole.
            (false, Ok(started)) => assert!(started == right || started == Content::default(), "sync {n}: {started:?}"),
            (false, Err(error)) => assert_eq!(error.code(), Code::Corrupt, "sync {n}: {error}"),
        }
    }
}
