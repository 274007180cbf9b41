use std::path::Path;
use std::sync::Arc;

use arus_core::fs::{Fs, SharedFs};

use super::*;
use crate::DiskFs;
use crate::sample;
use crate::sim::MemoryFs;

const ROOT: &str = "/data";

fn folder() -> MemoryFs {
    let fs = MemoryFs::new();
    sample::write(fs.shared(), Path::new(ROOT)).expect("writes");
    fs.kill()
}

#[test]
fn it_says_what_is_hit_and_what_to_do() {
    let fs = folder();
    let root = Path::new(ROOT);
    let whole = examine(&fs.shared(), root).expect("examines");
    assert_eq!((whole.damages(), whole.records, whole.state_entries, whole.partitions), (0, 58, 210, 2));
    let segment = root.join("topics/2/0/00000000000000000000.log");
    fs.damage(&segment, |bytes| bytes[200] ^= 1).expect("exists");
    let state = fs.files().into_iter().rfind(|f| f.to_string_lossy().contains("-delta-")).expect("there is one");
    fs.damage(&state, |bytes| bytes[60] ^= 1).expect("exists");
    let before: Vec<_> = fs.files().into_iter().map(|f| fs.read(&f).expect("reads")).collect();
    let report = examine(&fs.shared(), root).expect("examines");
    assert_eq!(report.damages(), 2, "{}", report.text());
    let text = report.text();
    for part in [
        "damage: topics/2/0/00000000000000000000.log, byte ",
        "table events, partition 0, offsets 1 to 1 cannot be read",
        "'scan.damage' = 'skip'",
        "table names",
        "2 places are damaged",
    ] {
        assert!(text.contains(part), "'{part}' is missing:\n{text}");
    }
    let json = serde_json::to_value(&report).expect("is JSON");
    assert_eq!(json["findings"][1]["offsets"], serde_json::json!([1, 1]), "{json}");
    let after: Vec<_> = fs.files().into_iter().map(|f| fs.read(&f).expect("reads")).collect();
    assert_eq!(before, after, "it changes nothing");
}

#[test]
fn without_a_manifest_it_reads_what_there_is() {
    let fs = folder();
    fs.remove_file(&Path::new(ROOT).join("manifest")).expect("exists");
    let report = examine(&fs.shared(), Path::new(ROOT)).expect("examines");
    assert_eq!((report.damages(), report.records), (1, 58), "{}", report.text());
    assert!(examine(&MemoryFs::new().shared(), Path::new("/")).is_err());
}

#[test]
fn a_folder_that_is_written_is_no_damaged_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let fs: SharedFs = Arc::new(DiskFs);
    let root = dir.path().join("data");
    sample::write(fs.clone(), &root).expect("writes");
    // This process has the lock, and is in the middle of an append.
    let _folder = crate::DataFolder::open(fs.clone(), &root).expect("opens");
    let mut segments = fs.list(&root.join("topics/2/0")).expect("lists");
    segments.retain(|s| s.path.extension().is_some_and(|e| e == "log"));
    let last = fs.open_append(&segments.last().expect("there is one").path).expect("opens");
    last.append(&sample::request(40)[..30]).expect("appends");
    let report = examine(&fs, &root).expect("examines");
    assert_eq!((report.process, report.findings.len()), (Some(std::process::id()), 0), "{}", report.text());
}
