//! Idempotent producers: Kafka's rules, kept over restarts, segments and retention.

use arus_core::error::Code;
use arus_core::rng::Rng;

use super::record_batch::BatchBuilder;
use super::tests::{disk, open, readable};
use super::{Appended, KnownEnd, Partition};
use crate::log::Log;
use crate::sim::MemoryFs;

/// A batch of `n` records as producer `id` numbers it.
fn batch(id: i64, epoch: i16, sequence: i32, n: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1_000).of_producer(id, epoch, sequence);
    for i in 0..n {
        builder.push(None, Some(format!("{id}/{epoch}/{}", i64::from(sequence) + i64::from(i)).as_bytes()), &[], 1_000);
    }
    builder.finish().expect("has records")
}

type Outcome = Result<(i64, bool), Code>;

fn send(p: &std::sync::Arc<Partition>, id: i64, epoch: i16, sequence: i32, n: i32) -> Outcome {
    match p.append(&batch(id, epoch, sequence, n)) {
        Ok(Appended { base_offset, duplicate, .. }) => Ok((base_offset, duplicate)),
        Err(e) => Err(e.code()),
    }
}

fn partition(log: &Log) -> std::sync::Arc<Partition> {
    log.topic(1).expect("exists").partition(0).expect("exists").clone()
}

/// The same folder after a start, with or without a power failure.
fn reopened(fs: &MemoryFs, log: Log, segment_bytes: u64) -> Log {
    let end = partition(&log).synced_end();
    drop(log);
    let log = open(fs, segment_bytes);
    log.open_topic(1, "t", &[KnownEnd::Client(end)]).expect("opens");
    log
}

#[test]
fn the_rules_are_kafkas() {
    let fs = disk();
    let log = open(&fs, 1 << 20);
    log.create_topic(1, "t", 1).expect("creates");
    let p = partition(&log);
    assert_eq!(send(&p, 7, 0, 3, 1), Err(Code::UnknownProducer));
    assert_eq!(send(&p, 7, 0, -1, 1), Err(Code::InvalidValue));
    for (i, sequence) in [0, 2, 4, 6, 8, 10, 12].into_iter().enumerate() {
        assert_eq!(send(&p, 7, 0, sequence, 2), Ok((2 * i as i64, false)));
    }
    // One of the last five is a duplicate and has its first offset; older ones and gaps are out of order.
    for sequence in [12, 10, 8, 6, 4] {
        assert_eq!(send(&p, 7, 0, sequence, 2), Ok((i64::from(sequence), true)));
    }
    for (sequence, n) in [(2, 2), (12, 1), (13, 2), (16, 1)] {
        assert_eq!(send(&p, 7, 0, sequence, n), Err(Code::OutOfOrder), "{sequence}");
    }
    // Another producer, and one without an id, have nothing to do with it.
    assert_eq!(send(&p, 8, 0, 0, 1), Ok((14, false)));
    assert_eq!(send(&p, -1, -1, -1, 1), Ok((15, false)));
    assert_eq!(send(&p, -1, -1, -1, 1), Ok((16, false)));
    // A new epoch begins at 0 and fences the old one.
    assert_eq!(send(&p, 7, 1, 14, 1), Err(Code::OutOfOrder));
    assert_eq!(send(&p, 7, 1, 0, 1), Ok((17, false)));
    assert_eq!(send(&p, 7, 0, 14, 1), Err(Code::ProducerEpoch));
    assert_eq!(send(&p, 7, 1, 0, 1), Ok((17, true)));
    // Two batches of a producer in one request are none of Kafka's.
    let two = [batch(7, 1, 1, 1), batch(7, 1, 2, 1)].concat();
    assert_eq!(p.append(&two).map_err(|e| e.code()), Err(Code::InvalidValue));
    assert_eq!(send(&p, 7, 1, 1, 1), Ok((18, false)));
}

#[test]
fn sequences_begin_again_after_the_last() {
    assert_eq!(super::producers::advance(i32::MAX, 1), 0);
    assert_eq!(super::producers::advance(i32::MAX - 1, 3), 1);
    assert_eq!(super::producers::advance(5, 0), 5);
}

#[test]
fn what_is_known_outlives_restarts_segments_and_retention() {
    // 500 bytes: a few batches a segment, so that most have a footer.
    for seed in 0..20 {
        let mut rng = Rng::seeded(seed);
        let fs = disk();
        let mut log = open(&fs, 500);
        log.create_topic(1, "t", 1).expect("creates");
        let mut next = [0i32; 3];
        let mut sent: Vec<(usize, i32, i32, i64)> = vec![];
        for step in 0..120 {
            let p = partition(&log);
            match rng.below(10) {
                // One of the last five of a producer, sent again.
                0..=2 if !sent.is_empty() => {
                    let producer = rng.below(3) as usize;
                    let recent: Vec<_> = sent.iter().filter(|s| s.0 == producer).rev().take(5).copied().collect();
                    if let Some((_, sequence, n, offset)) = recent.get(rng.below(5) as usize).copied() {
                        assert_eq!(
                            send(&p, producer as i64, 0, sequence, n),
                            Ok((offset, true)),
                            "seed {seed}, {step}"
                        );
                    }
                }
                3 => {
                    log.sync_all().expect("syncs");
                    log = reopened(&fs, log, 500);
                }
                4 => {
                    log.sync_all().expect("syncs");
                    p.retain(None, Some(600), i64::MAX).expect("retains");
                }
                _ => {
                    let producer = rng.below(3) as usize;
                    let n = 1 + rng.below(3) as i32;
                    let (offset, duplicate) = send(&p, producer as i64, 0, next[producer], n).expect("is the next one");
                    assert!(!duplicate, "seed {seed}, {step}");
                    sent.push((producer, next[producer], n, offset));
                    next[producer] += n;
                }
            }
        }
        // Whatever is still there stands there once.
        let values: Vec<String> = readable(&partition(&log)).into_iter().map(|(_, value)| value).collect();
        let mut distinct = values.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(values.len(), distinct.len(), "seed {seed}");
    }
}

#[test]
fn idempotency_keys_outlive_retention() {
    let fs = disk();
    let log = open(&fs, 400);
    log.create_topic(1, "t", 1).expect("creates");
    let p = partition(&log);
    let keyed = |i: usize| {
        let mut builder = BatchBuilder::new(1_000);
        let key = format!("request {i}");
        builder.push(None, Some(b"v"), &[(super::IDEMPOTENCY_HEADER, Some(key.as_bytes()))], 1_000);
        (key, builder.finish().expect("has a record"))
    };
    for i in 0..40 {
        let (key, batch) = keyed(i);
        assert!(!p.append_idempotent(key.as_bytes(), &batch).expect("appends").duplicate);
    }
    log.sync_all().expect("syncs");
    let start = p.retain(None, Some(400), i64::MAX).expect("retains");
    assert!(start > 20, "{start}");
    let log = reopened(&fs, log, 400);
    let p = partition(&log);
    assert_eq!(p.start_offset(), start);
    for i in 0..40 {
        let (key, batch) = keyed(i);
        let again = p.append_idempotent(key.as_bytes(), &batch).expect("finds it");
        assert!(again.duplicate && again.base_offset == i as i64, "{i}");
    }
}
