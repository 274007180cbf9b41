use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arus_core::error::Code;
use arus_core::fs::Fs;
use arus_core::rng::Rng;
use bytes::Bytes;

use super::record_batch::HEADER_BYTES;
use super::segment::SEGMENT_HEADER_BYTES;
use super::*;
use crate::sim::{ManualClock, MemoryFs};

pub(super) const DIR: &str = "/data/topics";

fn options(segment_bytes: u64) -> LogOptions {
    LogOptions { segment_bytes, threaded: false, on_failure: None }
}

/// A disk with the folder of topics.
pub(super) fn disk() -> MemoryFs {
    let fs = MemoryFs::new();
    fs.create_dir_all(Path::new(DIR)).expect("creates");
    for dir in Path::new(DIR).ancestors().skip(1) {
        fs.sync_dir(dir).expect("syncs");
    }
    fs
}

pub(super) fn open(fs: &MemoryFs, segment_bytes: u64) -> Log {
    Log::open(fs.shared(), ManualClock::at(1_000_000), Path::new(DIR), options(segment_bytes)).expect("opens")
}

pub(super) fn batch(values: &[String]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1_000);
    for value in values {
        builder.push(Some(b"k"), Some(value.as_bytes()), &[("h", Some(b"v")), ("n", None)], 1_000);
    }
    builder.finish().expect("has records")
}

fn keyed_batch(key: &str, value: &str) -> Vec<u8> {
    let mut builder = BatchBuilder::new(900_000);
    builder.push(None, Some(value.as_bytes()), &[(IDEMPOTENCY_HEADER, Some(key.as_bytes()))], 900_000);
    builder.finish().expect("has a record")
}

/// Reads everything from `from` on; stops at the first error.
fn values(partition: &Partition, mut from: i64, upto: ReadUpTo) -> (Vec<(i64, String)>, Option<arus_core::Error>) {
    let mut out = vec![];
    for _ in 0..100_000 {
        match partition.read_raw(from, 700, upto) {
            Ok(raw) => {
                let Some(last) = raw.records.last() else { return (out, None) };
                from = last.offset + 1;
                for r in &raw.records {
                    let value = raw.bytes(r.value.expect("has a value"));
                    out.push((r.offset, String::from_utf8(value.to_vec()).expect("is text")));
                }
            }
            Err(error) => return (out, Some(error)),
        }
    }
    panic!("the read does not end");
}

/// Everything that can be read, stepping over damage.
pub(super) fn readable(partition: &Partition) -> Vec<(i64, String)> {
    let mut out = vec![];
    let mut from = partition.start_offset();
    for _ in 0..10_000 {
        let (read, error) = values(partition, from, ReadUpTo::Synced);
        from = read.last().map_or(from, |r| r.0 + 1);
        out.extend(read);
        if error.is_none() {
            return out;
        }
        let next = partition.next_readable(from);
        assert!(next > from, "damage at {from} has no end");
        from = next;
    }
    panic!("damage without end");
}

pub(super) fn value(i: i64) -> String {
    format!("value {i} {}", "x".repeat((i as usize * 7) % 50))
}

#[test]
fn appended_records_are_read_back_over_segments() {
    let fs = disk();
    let log = open(&fs, 2_000);
    let topic = log.create_topic(7, "orders", 2).expect("creates");
    let p = topic.partition(1).expect("exists");
    for i in 0..100 {
        let appended = p.append(&batch(&[value(2 * i), value(2 * i + 1)])).expect("appends");
        assert_eq!((appended.base_offset, appended.last_offset), (2 * i, 2 * i + 1));
    }
    assert_eq!(values(p, 0, ReadUpTo::Synced).0, vec![]);
    assert_eq!(values(p, 0, ReadUpTo::End).0.len(), 200);
    log.sync_all().expect("syncs");
    assert_eq!(p.synced_end(), 200);
    for from in [0, 1, 57, 100, 199] {
        let (read, error) = values(p, from, ReadUpTo::Synced);
        assert!(error.is_none());
        assert_eq!(read, (from..200).map(|i| (i, value(i))).collect::<Vec<_>>());
    }
    assert_eq!(values(p, 0, ReadUpTo::Offset(20)).0.len(), 20);
    // Again after a start: footers for the sealed segments, the last one is read.
    drop(log);
    let log = open(&fs.crash(1), 2_000);
    let topic = log.open_topic(7, "orders", &[KnownEnd::Client(0), KnownEnd::Client(0)]).expect("opens");
    assert_eq!(readable(topic.partition(1).expect("exists")), (0..200).map(|i| (i, value(i))).collect::<Vec<_>>());
    let p = topic.partition(1).expect("exists");
    assert_eq!(p.append(&batch(&[value(200)])).expect("appends").base_offset, 200);
    let raw = p.read_raw(57, 1, ReadUpTo::Synced).expect("reads");
    let headers = record_headers(raw.bytes(raw.records[0].headers.expect("has headers")));
    assert_eq!(headers, vec![(&b"h"[..], Some(&b"v"[..])), (&b"n"[..], None)]);
}

#[test]
fn compressed_batches_are_read_and_hostile_bytes_refused() {
    let plain = batch(&(0..50).map(value).collect::<Vec<_>>());
    let payload = &plain[HEADER_BYTES..];
    let gzip = {
        let mut e = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        e.write_all(payload).expect("compresses");
        e.finish().expect("compresses")
    };
    let raw_snappy = snap::raw::Encoder::new().compress_vec(payload).expect("compresses");
    let mut xerial = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for part in payload.chunks(600) {
        let block = snap::raw::Encoder::new().compress_vec(part).expect("compresses");
        xerial.extend_from_slice(&(block.len() as u32).to_be_bytes());
        xerial.extend_from_slice(&block);
    }
    let lz4 = {
        let mut e = lz4_flex::frame::FrameEncoder::new(vec![]);
        e.write_all(payload).expect("compresses");
        e.finish().expect("compresses")
    };
    let zstd = zstd::encode_all(payload, 1).expect("compresses");
    let fs = disk();
    let log = open(&fs, 1 << 20);
    let topic = log.create_topic(1, "t", 1).expect("creates");
    let p = topic.partition(0).expect("exists");
    let expected: Vec<String> = (0..50).map(value).collect();
    let compressed =
        [(0, payload.to_vec()), (1, gzip), (2, raw_snappy), (2, xerial), (3, lz4), (4, zstd)].map(|(kind, payload)| {
            let mut bytes = plain[..HEADER_BYTES].to_vec();
            bytes.extend_from_slice(&payload);
            reseal(&mut bytes, kind);
            bytes
        });
    for bytes in &compressed {
        p.append(bytes).expect("appends");
    }
    log.sync_all().expect("syncs");
    let raw = p.read_raw(0, 1 << 20, ReadUpTo::Synced).expect("reads");
    let read: Vec<_> =
        raw.records.iter().map(|r| String::from_utf8_lossy(raw.bytes(r.value.expect("value"))).into_owned()).collect();
    assert_eq!(read, std::iter::repeat_n(expected, 6).flatten().collect::<Vec<_>>());
    // Noise with a right checksum: never a panic, nothing is appended that cannot be read.
    let mut rng = Rng::seeded(3);
    let mut refused = 0;
    for round in 0..4_000 {
        let mut bytes = compressed[round % compressed.len()].clone();
        for _ in 0..=rng.below(3) {
            let at = HEADER_BYTES as u64 + rng.below((bytes.len() - HEADER_BYTES) as u64);
            bytes[at as usize] = rng.next_u64() as u8;
        }
        if rng.below(4) == 0 {
            bytes.truncate(HEADER_BYTES + rng.below((bytes.len() - HEADER_BYTES) as u64) as usize);
        }
        reseal(&mut bytes, (round % compressed.len()).saturating_sub(if round % 6 > 2 { 1 } else { 0 }) as u8);
        match p.append(&bytes) {
            Ok(appended) => {
                let read = p.read_raw(appended.base_offset, 1, ReadUpTo::End).expect("what was taken can be read");
                assert_eq!(read.records.len() as i64, appended.end() - appended.base_offset);
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.code(), Code::InvalidValue, "{error}");
            }
        }
    }
    assert!(refused > 1_000);
    let bomb = zstd::encode_all(std::io::repeat(0).take_n(100 << 20), 1).expect("compresses");
    let mut bytes = plain[..HEADER_BYTES].to_vec();
    bytes.extend_from_slice(&bomb);
    reseal(&mut bytes, 4);
    assert!(p.append(&bytes).expect_err("too large").message().contains("more than"));
    assert!(p.append(&plain[..plain.len() - 1]).is_err());
    assert!(p.append(&[]).is_err());
    for n in 0..200 {
        let noise: Vec<u8> = (0..n).map(|_| rng.next_u64() as u8).collect();
        assert!(decode_batches(Bytes::from(noise), 0, 1_000, 0).is_err() || n == 0);
    }
}

trait TakeN: std::io::Read + Sized {
    fn take_n(self, n: u64) -> std::io::Take<Self> {
        std::io::Read::take(self, n)
    }
}

impl TakeN for std::io::Repeat {}

fn reseal(bytes: &mut [u8], compression: u8) {
    let length = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[22] = compression;
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}

#[test]
fn idempotency_keys_survive_seals_and_starts_for_a_day() {
    let fs = disk();
    let clock = ManualClock::at(1_000_000);
    let open = |fs: &MemoryFs| {
        let log = Log::open(fs.shared(), clock.clone(), Path::new(DIR), options(3_000)).expect("opens");
        let topic = log.open_topic(1, "t", &[KnownEnd::Client(0)]).expect("opens");
        (log, topic)
    };
    let (log, topic) = open(&fs);
    let p = topic.partition(0).expect("exists");
    for i in 0..100 {
        let key = format!("key {i}");
        let appended = p.append_idempotent(key.as_bytes(), &keyed_batch(&key, &value(i))).expect("appends");
        assert_eq!((appended.base_offset, appended.duplicate), (i, false));
    }
    assert!(p.append_idempotent(b"other", &keyed_batch("key", "v")).is_err(), "the batch has another key");
    log.sync_all().expect("syncs");
    assert!(fs.files().iter().any(|f| f.extension().is_some_and(|e| e == "footer")));
    for fs in [fs.kill(), fs.crash(5)] {
        let (_log, topic) = open(&fs);
        let p = topic.partition(0).expect("exists");
        for i in [0, 50, 99] {
            let key = format!("key {i}");
            let again = p.append_idempotent(key.as_bytes(), &keyed_batch(&key, "again")).expect("finds it");
            assert_eq!((again.base_offset, again.last_offset, again.duplicate), (i, i, true));
        }
        assert_eq!(p.end_offset(), 100);
    }
    clock.set(1_000_000 + arus_core::limits::IDEMPOTENCY_MS + 1);
    assert!(!p.append_idempotent(b"key 0", &keyed_batch("key 0", "v")).expect("appends").duplicate);
}

/// A log of three segments, its last batches unsynced, as bytes per file.
fn torn_log(fs: &MemoryFs) -> (PathBuf, u64, i64) {
    let log = open(fs, 6_000);
    let topic = log.create_topic(1, "t", 1).expect("creates");
    let p = topic.partition(0).expect("exists");
    for i in 0..100 {
        p.append(&batch(&[value(i)])).expect("appends");
    }
    log.sync_all().expect("syncs");
    let synced = p.synced_end();
    for i in 100..160 {
        p.append(&batch(&[value(i)])).expect("appends");
    }
    let last = fs.files().into_iter().rfind(|f| f.extension().is_some_and(|e| e == "log")).expect("exists");
    let len = fs.open(&last).expect("opens").len().expect("has a length");
    (last, len, synced)
}

#[test]
fn a_torn_tail_is_cut_at_every_byte() {
    let base = disk();
    let (last, len, synced) = torn_log(&base);
    let mut rng = Rng::seeded(11);
    for back in 1..=len.min(4_096) {
        let at = (len - back) as usize;
        for kind in 0..3 {
            let fs = base.kill();
            fs.damage(&last, |bytes| match kind {
                0 => bytes.truncate(at),
                1 => bytes[at..].fill(0),
                _ => bytes[at..].iter_mut().for_each(|b| *b = rng.next_u64() as u8),
            })
            .expect("exists");
            let log = open(&fs, 6_000);
            let topic = log.open_topic(1, "t", &[KnownEnd::Client(synced)]).expect("opens");
            let p = topic.partition(0).expect("exists");
            let read = readable(p);
            assert!(read.len() as i64 >= synced);
            assert_eq!(read, (0..read.len() as i64).map(|i| (i, value(i))).collect::<Vec<_>>(), "{kind} at {at}");
            let p_end = p.end_offset();
            p.append(&batch(&[value(p_end)])).expect("appends after the cut");
            log.sync_all().expect("syncs");
            assert_eq!(readable(p).len() as i64, p_end + 1);
        }
    }
}

#[test]
fn every_flipped_bit_is_located_and_hides_nothing_else() {
    let base = disk();
    let log = open(&base, 1_500);
    let topic = log.create_topic(1, "t", 1).expect("creates");
    let p = topic.partition(0).expect("exists");
    for i in 0..30 {
        p.append(&batch(&[value(i)])).expect("appends");
    }
    log.sync_all().expect("syncs");
    let all: Vec<_> = (0..30).map(|i| (i, value(i))).collect();
    let logs: Vec<_> = base.files().into_iter().filter(|f| f.extension().is_some_and(|e| e == "log")).collect();
    assert!(logs.len() >= 3);
    for path in &logs {
        let len = base.open(path).expect("opens").len().expect("has a length");
        for bit in 0..len * 8 {
            let flip = |fs: &MemoryFs| {
                fs.damage(path, |bytes| bytes[bit as usize / 8] ^= 1 << (bit % 8)).expect("exists");
            };
            // Found by a reader of a running server.
            let fs = base.kill();
            let log = open(&fs, 1_500);
            let topic = log.open_topic(1, "t", &[KnownEnd::Client(30)]).expect("opens");
            let p = topic.partition(0).expect("exists");
            flip(&fs);
            let read = readable(p);
            check_flip(&read, &all, p, bit >= SEGMENT_HEADER_BYTES * 8);
            // Found by the next start, with and without the footers.
            if bit % 5 == 0 {
                let without = fs.kill();
                for footer in without.files().iter().filter(|f| f.extension().is_some_and(|e| e == "footer")) {
                    without.remove_file(footer).expect("exists");
                }
                for fs in [fs.kill(), without] {
                    let log = open(&fs, 1_500);
                    let topic = log.open_topic(1, "t", &[KnownEnd::Client(30)]).expect("opens");
                    let p = topic.partition(0).expect("exists");
                    check_flip(&readable(p), &all, p, bit >= SEGMENT_HEADER_BYTES * 8);
                    assert_eq!(p.append(&batch(&[value(30)])).expect("appends").base_offset, 30);
                }
            }
        }
    }
}

fn check_flip(read: &[(i64, String)], all: &[(i64, String)], p: &Partition, hits_a_batch: bool) {
    assert!(read.iter().all(|r| all.contains(r)), "a wrong record was served");
    let damages = p.damages();
    if hits_a_batch {
        assert_eq!(read.len(), all.len() - 1, "one batch is hidden: {damages:?}");
        assert_eq!(damages.len(), 1);
        let missing = all.iter().find(|r| !read.contains(r)).expect("one is missing").0;
        assert_eq!((damages[0].first_offset, damages[0].next_offset), (missing, missing + 1));
        assert_eq!(damages[0].to_error().code(), Code::Corrupt);
    } else {
        assert_eq!(read.len(), all.len());
    }
}

#[test]
fn a_pipeline_partition_is_cut_to_its_marker() {
    for marker in 0..60 {
        let fs = disk();
        let log = open(&fs, 1_000);
        let topic = log.create_topic(1, "t", 1).expect("creates");
        let p = topic.partition(0).expect("exists");
        for i in 0..60 {
            p.append(&batch(&[value(i)])).expect("appends");
            if i % 7 == 0 || i + 1 == marker {
                log.sync_all().expect("syncs");
            }
        }
        for fs in [fs.kill(), fs.crash(marker as u64)] {
            let log = open(&fs, 1_000);
            let topic = log.open_topic(1, "t", &[KnownEnd::Pipeline(marker)]).expect("recovers");
            let p = topic.partition(0).expect("exists");
            assert_eq!((p.end_offset(), p.damages()), (marker, vec![]));
            // One small batch, or one that is longer than all that was cut.
            let others: Vec<_> = (0..if marker % 2 == 0 { 60 } else { 1 }).map(|i| format!("other {i}")).collect();
            assert_eq!(p.append(&batch(&others)).expect("appends").base_offset, marker);
            log.sync_all().expect("syncs");
            let mut expected: Vec<_> = (0..marker).map(|i| (i, value(i))).collect();
            expected.extend((marker..).zip(others.iter().cloned()));
            let again = open(&fs.crash(3), 1_000);
            let end = marker + others.len() as i64;
            let topic = again.open_topic(1, "t", &[KnownEnd::Pipeline(end)]).expect("recovers");
            assert_eq!(readable(topic.partition(0).expect("exists")), expected);
        }
    }
}

#[test]
fn missing_files_are_damage_and_their_offsets_are_never_used_again() {
    let fs = disk();
    let log = open(&fs, 1_000);
    let topic = log.create_topic(1, "t", 1).expect("creates");
    let p = topic.partition(0).expect("exists");
    for i in 0..40 {
        p.append(&batch(&[value(i)])).expect("appends");
    }
    log.sync_all().expect("syncs");
    let logs: Vec<_> = fs.files().into_iter().filter(|f| f.extension().is_some_and(|e| e == "log")).collect();
    for victim in [1, logs.len() - 1] {
        let fs = fs.kill();
        fs.remove_file(&logs[victim]).expect("exists");
        let log = open(&fs, 1_000);
        let topic = log.open_topic(1, "t", &[KnownEnd::Client(40)]).expect("opens");
        let p = topic.partition(0).expect("exists");
        assert_eq!(p.damages().len(), 1);
        let read = readable(p);
        assert!(read.len() < 40 && read.iter().all(|(i, v)| *v == value(*i)));
        assert_eq!(p.append(&batch(&[value(40)])).expect("appends").base_offset, 40);
    }
}

#[test]
fn retention_removes_whole_old_segments_and_respects_the_floor() {
    let fs = disk();
    let clock = ManualClock::at(0);
    let log = Log::open(fs.shared(), clock.clone(), Path::new(DIR), options(1_000)).expect("opens");
    let topic = log.create_topic(1, "t", 1).expect("creates");
    let p = topic.partition(0).expect("exists");
    for i in 0..60 {
        clock.set(i * 100);
        p.append(&batch(&[value(i)])).expect("appends");
    }
    log.sync_all().expect("syncs");
    assert_eq!(p.retain(Some(1_000_000), Some(1 << 30), i64::MAX).expect("retains"), 0);
    let start = p.retain(Some(3_000), None, 20).expect("retains");
    assert!(start > 0 && start <= 20, "{start}");
    let start = p.retain(None, Some(2_500), i64::MAX).expect("retains");
    assert!(p.bytes() <= 2_500 && start > 30);
    assert_eq!(values(p, start, ReadUpTo::Synced).0.len() as i64, 60 - start);
    let gone = p.read(0, 100, ReadUpTo::Synced).expect_err("it is gone");
    assert!(gone.message().contains("the log starts at"));
    // A last segment that is old ends, and goes.
    clock.set(1_000_000);
    assert_eq!(p.retain(Some(3_000), None, i64::MAX).expect("retains"), 60);
    log.sync_all().expect("syncs");
    let log = open(&fs.crash(2), 1_000);
    let topic = log.open_topic(1, "t", &[KnownEnd::Client(0)]).expect("opens");
    let p = topic.partition(0).expect("exists");
    assert_eq!((p.start_offset(), p.end_offset(), p.damages()), (60, 60, vec![]));
}

#[test]
fn offsets_are_found_by_time() {
    let fs = disk();
    let log = open(&fs, 1_500);
    let topic = log.create_topic(1, "t", 1).expect("creates");
    let p = topic.partition(0).expect("exists");
    for i in 0..50 {
        let mut builder = BatchBuilder::new(i * 20);
        builder.push(None, Some(b"a"), &[], i * 20);
        builder.push(None, Some(b"b"), &[], i * 20 + 10);
        p.append(&builder.finish().expect("has records")).expect("appends");
    }
    log.sync_all().expect("syncs");
    for (time, offset) in [(-5, Some(0)), (0, Some(0)), (1, Some(1)), (10, Some(1)), (501, Some(51)), (991, None)] {
        assert_eq!(p.offset_for_time(time).expect("finds"), offset, "{time}");
    }
}

#[test]
fn a_group_commit_wakes_everybody() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(arus_core::clock::SystemClock::new());
    let fs: SharedFs = Arc::new(crate::DiskFs);
    let log = Log::open(fs.clone(), clock.clone(), dir.path(), LogOptions::default()).expect("opens");
    let topic = log.create_topic(1, "t", 2).expect("creates");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let topic = topic.clone();
            scope.spawn(move || {
                let p = topic.partition(thread % 2).expect("exists");
                for i in 0..25 {
                    let appended = p.append(&batch(&[value(i)])).expect("appends");
                    p.wait_synced_blocking(appended.end()).expect("is synced");
                    assert!(p.synced_end() >= appended.end());
                }
            });
        }
    });
    let ends = topic.synced_ends();
    assert_eq!(ends, vec![100, 100]);
    drop(topic);
    drop(log);
    let log = Log::open(fs, clock, dir.path(), LogOptions::default()).expect("opens");
    let known: Vec<_> = ends.into_iter().map(KnownEnd::Client).collect();
    let topic = log.open_topic(1, "t", &known).expect("opens");
    assert_eq!(readable(topic.partition(0).expect("exists")).len(), 100);
    log.drop_topic(1).expect("drops");
    assert!(!dir.path().join("1").exists());
}

#[test]
fn a_pipelines_records_are_taken_back_to_the_marker() {
    let fs = disk();
    let log = open(&fs, 600);
    let topic = log.create_topic(1, "t", 2).expect("creates");
    let partition = topic.partitions()[0].clone();
    for i in 0..40 {
        partition.append(&batch(&[value(i)])).expect("appends");
        if i == 30 {
            partition.sync().expect("syncs");
        }
    }
    topic.cut(&[40, 0]).expect("nothing to do");
    assert_eq!((partition.end_offset(), partition.synced_end()), (40, 31));
    for marker in [25, 7] {
        topic.cut(&[marker, 0]).expect("cuts");
        assert_eq!((partition.end_offset(), partition.synced_end()), (marker, marker));
        assert_eq!(readable(&partition), (0..marker).map(|i| (i, value(i))).collect::<Vec<_>>());
    }
    let again = partition.append(&batch(&[value(90), value(91)])).expect("appends");
    assert_eq!(again.base_offset, 7);
    partition.sync().expect("syncs");
    let kept: Vec<_> = (0..7).map(|i| (i, value(i))).chain([(7, value(90)), (8, value(91))]).collect();
    assert_eq!(readable(&partition), kept);
    drop((partition, topic, log));
    let log = open(&fs.kill(), 600);
    let topic = log.open_topic(1, "t", &[KnownEnd::Pipeline(9), KnownEnd::Pipeline(0)]).expect("opens");
    assert_eq!(readable(&topic.partitions()[0]), kept);
}
