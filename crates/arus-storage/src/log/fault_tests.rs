//! The log on a disk that fails: what was acknowledged is there afterwards.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arus_core::error::Code;
use arus_core::fs::Fs;
use arus_core::rng::Rng;

use super::tests::{DIR, batch, disk, open, readable, value};
use super::*;
use crate::sim::{Fault, ManualClock};

/// Appends and syncs until something fails; what was acknowledged has to be there after any crash.
fn run_until_failure(log: &Log, topic: &Topic, rng: &mut Rng) -> (Vec<i64>, i64) {
    let p = topic.partition(0).expect("exists");
    let mut acked = vec![];
    let mut waiting = vec![];
    let mut known = p.synced_end();
    for _ in 0..60 {
        if rng.below(3) < 2 {
            let at = p.end_offset();
            match p.append(&batch(&[value(at)])) {
                Ok(appended) => waiting.push(appended.base_offset),
                Err(_) => continue,
            }
        } else if log.sync_all().is_ok() {
            acked.append(&mut waiting);
            if rng.below(2) == 0 {
                known = p.synced_end();
            }
        } else {
            assert!(log.failure().is_some() && p.append(&batch(&[value(0)])).is_err(), "poisoned for ever");
            assert!(p.sync().is_err());
        }
    }
    (acked, known)
}

#[test]
fn acknowledged_records_survive_crashes_and_failed_syncs() {
    for seed in 0..600 {
        let mut rng = Rng::seeded(seed);
        let mut fs = disk();
        let log = open(&fs, 1_200);
        let mut topic = log.create_topic(1, "t", 1).expect("creates");
        let mut log = log;
        let mut acked: Vec<i64> = vec![];
        for round in 0..4 {
            if rng.below(2) == 0 {
                let n = rng.below(40);
                let fault = match rng.below(3) {
                    0 => Fault::Sync(fs.syncs() + n),
                    1 => Fault::Write(fs.writes() + n),
                    _ => Fault::WriteNoSpace(fs.writes() + n),
                };
                fs.set_fault(Some(fault));
            }
            let (more, known) = run_until_failure(&log, &topic, &mut rng);
            acked.extend(more);
            fs = if rng.below(3) == 0 { fs.kill() } else { fs.crash(rng.next_u64()) };
            log = open(&fs, 1_200);
            topic = log.open_topic(1, "t", &[KnownEnd::Client(known)]).expect("recovers");
            let p = topic.partition(0).expect("exists");
            assert_eq!(p.damages(), vec![], "seed {seed}, round {round}");
            let read = readable(p);
            assert_eq!(read, (0..read.len() as i64).map(|i| (i, value(i))).collect::<Vec<_>>(), "seed {seed}");
            let lost = acked.iter().find(|a| **a >= read.len() as i64);
            assert_eq!(lost, None, "seed {seed}, round {round}: acknowledged and lost");
            // What was read after a start is as good as acknowledged.
            acked = (0..read.len() as i64).collect();
        }
    }
}

#[test]
fn a_failed_sync_at_every_n_acknowledges_nothing_after_it() {
    for n in 1..60 {
        let fs = disk();
        let failures = Arc::new(AtomicU64::new(0));
        let told = failures.clone();
        let on_failure: OnFailure = Arc::new(move |_| {
            told.fetch_add(1, Ordering::SeqCst);
        });
        let options = LogOptions { segment_bytes: 800, threaded: false, on_failure: Some(on_failure) };
        let log = Log::open(fs.shared(), ManualClock::at(0), Path::new(DIR), options).expect("opens");
        let topic = log.create_topic(1, "t", 1).expect("creates");
        let p = topic.partition(0).expect("exists");
        fs.set_fault(Some(Fault::Sync(fs.syncs() + n)));
        let mut acked = 0;
        for i in 0..40 {
            if p.append(&batch(&[value(i)])).is_ok() && p.wait_synced_blocking(i + 1).is_ok() {
                assert!(log.failure().is_none());
                acked = i + 1;
            }
        }
        let failed = log.failure().is_some();
        assert_eq!(failures.load(Ordering::SeqCst), u64::from(failed));
        for seed in 0..5 {
            let after = open(&fs.crash(seed), 800);
            let topic = after.open_topic(1, "t", &[KnownEnd::Client(0)]).expect("recovers");
            let read = readable(topic.partition(0).expect("exists"));
            assert!(read.len() as i64 >= acked, "sync {n}, seed {seed}");
            assert_eq!(read, (0..read.len() as i64).map(|i| (i, value(i))).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_segment_that_could_not_be_started_is_no_damage() {
    for leave in [false, true] {
        let fs = disk();
        let log = open(&fs, 300);
        let topic = log.create_topic(1, "t", 1).expect("creates");
        let p = topic.partition(0).expect("exists");
        p.append(&batch(&["x".repeat(100)])).expect("appends");
        fs.set_fault(Some(Fault::WriteNoSpace(fs.writes() + 1)));
        let error = p.append(&batch(&["x".repeat(200)])).expect_err("there is no space for a new segment");
        assert_eq!(error.code(), Code::DiskFull);
        fs.set_fault(None);
        p.append(&batch(&["short".into()])).expect("fits the old one");
        log.sync_all().expect("syncs");
        if leave {
            fs.open_append(Path::new("/data/topics/1/0/00000000000000000001.log")).expect("creates");
        }
        let log = open(&fs.kill(), 300);
        let topic = log.open_topic(1, "t", &[KnownEnd::Client(2)]).expect("opens");
        let p = topic.partition(0).expect("exists");
        assert_eq!((p.damages(), readable(p).len()), (vec![], 2));
    }
}

#[test]
fn a_dropped_topic_fails_its_waiters_and_nothing_else() {
    let fs = disk();
    let log = open(&fs, 300);
    let topic = log.create_topic(1, "t", 1).expect("creates");
    let other = log.create_topic(2, "u", 1).expect("creates");
    for topic in [&topic, &other] {
        let p = topic.partition(0).expect("exists");
        for i in 0..20 {
            p.append(&batch(&[value(i)])).expect("appends");
        }
    }
    log.drop_topic(1).expect("drops");
    log.sync_all().expect("the other one syncs");
    assert_eq!((log.failure(), other.synced_ends()), (None, vec![20]));
    let error = topic.partition(0).expect("exists").wait_synced_blocking(20).expect_err("is gone");
    assert!(error.message().contains("dropped"), "{error}");
    let log = open(&fs.kill(), 300);
    log.remove_unknown().expect("removes");
    assert_eq!(fs.list(Path::new(DIR)).expect("lists").len(), 1);
}
