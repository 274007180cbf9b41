//! Every file type, damaged everywhere: a start says so, serves the rest, and never gives a wrong answer in silence.

use std::path::{Path, PathBuf};

use arus_core::clock::{Clock, SystemClock};
use arus_core::error::Code;
use arus_core::fs::Fs;
use arus_core::rng::Rng;

use crate::doctor::{self, FindingKind, Report};
use crate::sample::{self, Content};
use crate::sim::MemoryFs;

const ROOT: &str = "/data";
/// What of each file is damaged byte by byte.
const TAIL: usize = 4 << 10;
const FLIPS: usize = 10_000;
/// A test takes as many cases as it can in this time, spread over all files; `ARUS_DAMAGE=all` takes every one.
const BUDGET_NS: u64 = 12_000_000_000;

/// Places in an order that begins everywhere at once.
fn cases(all: usize) -> impl Iterator<Item = usize> {
    let clock = SystemClock::new();
    let every = std::env::var("ARUS_DAMAGE").is_ok_and(|v| v == "all");
    // A prime that divides no such number: each place comes once.
    let step = 7_919;
    (0..all).map(move |n| n * step % all).take_while(move |_| every || clock.monotonic_ns() < BUDGET_NS)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Cut,
    Zeroed,
    Noise,
    /// What stood at another place of the file, as a disk does that puts a block where it does not belong.
    Stale,
    Flip,
}

fn folder() -> (MemoryFs, Vec<PathBuf>) {
    let fs = MemoryFs::new();
    sample::write(fs.shared(), Path::new(ROOT)).expect("writes");
    // After a clean end nothing is in flight: all that is there has been synced.
    let fs = fs.kill();
    let files = fs.files().into_iter().filter(|f| f.file_name().is_none_or(|n| n != "LOCK")).collect();
    (fs, files)
}

fn change(kind: Kind, at: usize, bytes: &mut Vec<u8>, rng: &mut Rng) {
    match kind {
        Kind::Cut => bytes.truncate(at),
        Kind::Zeroed => bytes[at..].fill(0),
        Kind::Noise => bytes[at..].iter_mut().for_each(|b| *b = rng.next_u64() as u8),
        Kind::Stale => {
            let n = (bytes.len() - at).min(512);
            let from = rng.below((bytes.len() - n) as u64 + 1) as usize;
            bytes.copy_within(from..from + n, at);
        }
        Kind::Flip => bytes[at] ^= 1 << rng.below(8),
    }
}

/// A start on the damaged folder, against what was there: `wanted` after each checkpoint, the last one first.
fn judge(what: &str, fs: &MemoryFs, path: &Path, wanted: &[Content]) -> Option<Content> {
    let report = || doctor::examine(&fs.shared(), Path::new(ROOT)).expect("it is a data folder");
    let content = match sample::open(fs.kill().shared(), Path::new(ROOT)) {
        Ok(content) => content,
        Err(error) => {
            assert!(matches!(error.code(), Code::Corrupt | Code::NotSupported), "{what}: {error}");
            assert!(error.message().contains("manifest"), "{what}: only the manifest stops a start: {error}");
            let report = report();
            assert!(located(&report, path), "{what}: {}", report.text());
            return None;
        }
    };
    let right = wanted.iter().find(|w| w.checkpoint == content.checkpoint);
    let right = right.unwrap_or_else(|| panic!("{what}: {:?} never was", content.checkpoint));
    for (place, value) in &content.records {
        assert_eq!(Some(value), right.records.get(place), "{what}: a wrong record at {place:?}");
    }
    for (topic, offset) in right.records.keys().filter(|place| !content.records.contains_key(place)) {
        let said = content
            .damages
            .iter()
            .any(|d| d.topic == topic.to_string() && (d.first_offset..d.next_offset).contains(offset));
        assert!(said, "{what}: offset {offset} of topic {topic} is gone and nobody says so: {:?}", content.damages);
    }
    let hit = |uid| content.state_damages.iter().any(|d| d.hits(uid));
    for ((uid, key), value) in content.state.iter().filter(|((uid, _), _)| !hit(*uid)) {
        assert_eq!(Some(value), right.state.get(&(*uid, key.clone())), "{what}: wrong state of {uid:?}");
    }
    let missing = right.state.keys().find(|place| !hit(place.0) && !content.state.contains_key(place));
    assert_eq!(missing, None, "{what}: state is gone and nobody says so");
    if content == wanted[0] {
        return Some(content);
    }
    let report = report();
    let damages = content.damages.len() + content.state_damages.len();
    assert!(located(&report, path), "{what}: {content:?}\n{}", report.text());
    assert!(
        damages == 0 || report.damages() > 0,
        "{what}: the start finds what the doctor does not\n{}",
        report.text()
    );
    Some(content)
}

/// The doctor names the file, or its neighbour where a file's end is missing.
fn located(report: &Report, path: &Path) -> bool {
    let name = path.strip_prefix(ROOT).expect("is below").to_string_lossy().into_owned();
    let dir = Path::new(&name).parent().map(|d| d.to_string_lossy().into_owned()).unwrap_or_default();
    report.findings.iter().any(|f| f.file == name || dir.starts_with("topics") && f.file.starts_with(&dir))
}

fn wanted(fs: &MemoryFs) -> Vec<Content> {
    let last = sample::open(fs.kill().shared(), Path::new(ROOT)).expect("opens");
    // The folder as of the checkpoint before: what a manifest leads to whose end is gone.
    let earlier = fs.kill();
    let path = Path::new(ROOT).join("manifest");
    let whole = earlier.read(&path).expect("reads");
    // Where each record ends: 12 bytes of header, then 16 before each payload, whose length comes first.
    let mut ends = vec![];
    let mut at = 12;
    while at < whole.len() {
        at += 16 + u32::from_le_bytes([whole[at], whole[at + 1], whole[at + 2], whole[at + 3]]) as usize;
        ends.push(at);
    }
    let mut all = vec![last];
    for len in ends.into_iter().rev() {
        earlier.damage(&path, |bytes| *bytes = whole[..len].to_vec()).expect("exists");
        let content = sample::open(earlier.kill().shared(), Path::new(ROOT)).expect("opens");
        if all.last().map(|c| c.checkpoint) != Some(content.checkpoint) {
            all.push(content);
        }
    }
    assert_eq!(all.len(), 3, "two checkpoints and none");
    all
}

fn tails(kind: Kind) {
    let (fs, files) = folder();
    let wanted = wanted(&fs);
    let mut rng = Rng::seeded(kind as u64);
    let mut places = vec![];
    for path in &files {
        let len = fs.read(path).expect("reads").len();
        places.extend((len.saturating_sub(TAIL)..len).map(|at| (path, at)));
    }
    assert!(places.len() > 5_000 && places.len() % 7_919 != 0);
    let mut taken = 0;
    for case in cases(places.len()) {
        let (path, at) = places[case];
        let damaged = fs.kill();
        damaged.damage(path, |bytes| change(kind, at, bytes, &mut rng)).expect("exists");
        judge(&format!("{kind:?} {} at {at}", path.display()), &damaged, path, &wanted);
        taken += 1;
    }
    println!("{kind:?}: {taken} of {} places", places.len());
    assert!(taken > 300, "only {taken} cases");
}

#[test]
fn every_tail_that_is_cut_is_noticed() {
    tails(Kind::Cut);
}

#[test]
fn every_tail_that_is_zeroed_is_noticed() {
    tails(Kind::Zeroed);
}

#[test]
fn every_tail_of_noise_is_noticed() {
    tails(Kind::Noise);
}

#[test]
fn every_stale_block_is_noticed() {
    tails(Kind::Stale);
}

#[test]
fn flipped_bits_are_located_and_the_rest_is_served() {
    let (fs, files) = folder();
    let wanted = wanted(&fs);
    let sizes: Vec<usize> = files.iter().map(|f| fs.read(f).expect("reads").len()).collect();
    let all: usize = sizes.iter().sum();
    let mut rng = Rng::seeded(11);
    let (mut taken, mut refused, mut lost) = (0, 0, 0);
    for n in cases(FLIPS) {
        taken += 1;
        let mut at = rng.below(all as u64) as usize;
        let file = sizes.iter().position(|size| {
            let here = at < *size;
            at -= if here { 0 } else { *size };
            here
        });
        let path = &files[file.expect("is in one of them")];
        let damaged = fs.kill();
        damaged.damage(path, |bytes| change(Kind::Flip, at, bytes, &mut rng)).expect("exists");
        let what = format!("flip {n}: {} at {at}", path.display());
        let report = doctor::examine(&damaged.shared(), Path::new(ROOT)).expect("it is a data folder");
        assert!(located(&report, path), "{what}: {}", report.text());
        match judge(&what, &damaged, path, &wanted) {
            None => refused += 1,
            // One bit costs one batch or one block.
            Some(content) => {
                lost += usize::from(content != wanted[0]);
                assert!(content.records.len() + 1 >= wanted[0].records.len(), "{what}: more than one record");
                assert!(content.damages.len() + content.state_damages.len() < 3, "{what}: {content:?}");
            }
        }
    }
    println!("{taken} flips: {refused} starts refused, {lost} with a loss");
    assert!(taken > 300 && refused < taken / 2 && lost > taken / 4);
    let whole = doctor::examine(&fs.shared(), Path::new(ROOT)).expect("examines");
    let damages = whole.findings.iter().filter(|f| f.kind == FindingKind::Damage).count();
    assert_eq!(damages, 0, "{}", whole.text());
}
