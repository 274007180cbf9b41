//! What the tasks of one pipeline share: the queues between them, the splits of its sources, its figures.
//!
//! A queue belongs to an edge of the plan and a pair of tasks, and keeps its order. Only rows count against its limit:
//! watermarks, barriers and ends always fit and never overtake rows. Who fills a queue looks for room before it reads
//! anything that leads there, so a queue is over its limit by what one message makes at most.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, UInt32Array};
use arus_core::connector::{Source, Split};
use arus_core::key_group::{KEY_GROUPS, key_group};
use arus_core::limits::EXCHANGE_BYTES;
use arus_core::plan::PhysicalPlan;
use arus_core::{ChangeBatch, Error, LogicalType, Result};
use arus_storage::codec::{EncodedRows, KeyCodec};

use crate::message::Message;
use crate::pipeline::place::{Places, Way};

/// Called when something has come for a task, from the thread of another.
pub trait Waker: Send + Sync {
    fn wake(&self);
}

/// How a pipeline is spread over tasks.
#[derive(Clone)]
pub struct Tasks {
    /// Wakes each task; as many as there are tasks.
    pub wakers: Vec<Arc<dyn Waker>>,
    /// The task that has the first split, and everything that is there once.
    pub home: usize,
}

impl Tasks {
    pub fn count(&self) -> usize {
        self.wakers.len()
    }

    /// The key groups of a task.
    pub(crate) fn key_groups(&self, task: usize) -> std::ops::Range<u16> {
        let bound = |task: usize| (task * KEY_GROUPS as usize).div_ceil(self.count()) as u16;
        bound(task)..bound(task + 1)
    }
}

/// An input of an operator that comes by queues; numbered in the order of operators and inputs.
pub(crate) struct Edge {
    /// Tasks where rows come from, in the order of the node's inputs.
    pub(crate) from: Vec<usize>,
    pub(crate) to: Vec<usize>,
}

/// What waits in a queue.
pub(crate) enum Parcel {
    Message(Message),
    /// The task is no longer idle, but its rows went to others.
    Active,
}

#[derive(Default)]
struct Queue {
    parcels: Mutex<VecDeque<(Parcel, usize)>>,
    waiting: AtomicUsize,
    bytes: AtomicUsize,
}

pub(crate) struct Wires {
    pub(crate) tasks: Tasks,
    pub(crate) edges: Vec<Edge>,
    /// By edge, task of origin, task of destination.
    queues: Vec<Queue>,
}

impl Wires {
    pub(crate) fn new(plan: &PhysicalPlan, places: &Places, tasks: Tasks) -> Self {
        let all: Vec<usize> = (0..tasks.count()).collect();
        let at = |home: bool| if home { vec![tasks.home] } else { all.clone() };
        let mut edges = vec![];
        for (node, ways) in places.ways.iter().enumerate() {
            for (port, _) in ways.iter().enumerate().filter(|(_, way)| **way != Way::Here) {
                let from = at(places.at_home[plan.nodes[node].inputs[port]]);
                edges.push(Edge { from, to: at(places.at_home[node]) });
            }
        }
        let queues = (0..edges.len() * all.len() * all.len()).map(|_| Queue::default()).collect();
        Wires { tasks, edges, queues }
    }

    fn queue(&self, edge: usize, from: usize, to: usize) -> &Queue {
        let count = self.tasks.count();
        &self.queues[(edge * count + from) * count + to]
    }

    pub(crate) fn push(&self, edge: usize, from: usize, to: usize, parcel: Parcel, bytes: usize) {
        let queue = self.queue(edge, from, to);
        queue.bytes.fetch_add(bytes, Relaxed);
        let mut parcels = queue.parcels.lock().expect("no holder of this lock panics");
        parcels.push_back((parcel, bytes));
        queue.waiting.store(parcels.len(), Relaxed);
        let first = parcels.len() == 1;
        drop(parcels);
        if first {
            self.tasks.wakers[to].wake();
        }
    }

    /// The oldest of the queue. Who fills it is told when there is room again.
    pub(crate) fn pop(&self, edge: usize, from: usize, to: usize) -> Option<Parcel> {
        let queue = self.queue(edge, from, to);
        if queue.waiting.load(Relaxed) == 0 {
            return None;
        }
        let mut parcels = queue.parcels.lock().expect("no holder of this lock panics");
        let (parcel, bytes) = parcels.pop_front()?;
        queue.waiting.store(parcels.len(), Relaxed);
        drop(parcels);
        let before = queue.bytes.fetch_sub(bytes, Relaxed);
        if before >= EXCHANGE_BYTES && before - bytes < EXCHANGE_BYTES {
            self.tasks.wakers[from].wake();
        }
        Some(parcel)
    }

    pub(crate) fn has_room(&self, edge: usize, from: usize) -> bool {
        let to = self.edges[edge].to.iter();
        to.into_iter().all(|to| self.queue(edge, from, *to).bytes.load(Relaxed) < EXCHANGE_BYTES)
    }
}

/// Splits batches by the tasks that own the rows' key groups.
pub(crate) struct Scatter {
    keys: Vec<usize>,
    codec: KeyCodec,
    /// The task of each key group.
    owners: Vec<u8>,
    encoded: EncodedRows,
    parts: Vec<Vec<u32>>,
}

impl Scatter {
    pub(crate) fn new(keys: &[usize], types: &[LogicalType], tasks: &Tasks) -> Self {
        let mut owners = vec![0; KEY_GROUPS as usize];
        for task in 0..tasks.count() {
            tasks.key_groups(task).for_each(|group| owners[group as usize] = task as u8);
        }
        Scatter {
            keys: keys.to_vec(),
            codec: KeyCodec::new(types.iter().cloned()),
            owners,
            encoded: EncodedRows::default(),
            parts: vec![vec![]; tasks.count()],
        }
    }

    /// The rows of each task that gets any, in their order.
    pub(crate) fn split(&mut self, batch: ChangeBatch) -> Result<Vec<(usize, ChangeBatch)>> {
        let columns: Vec<ArrayRef> = self.keys.iter().map(|key| batch.rows().column(*key).clone()).collect();
        self.encoded.clear();
        self.codec.encode_into(&columns, batch.num_rows(), &mut self.encoded)?;
        self.parts.iter_mut().for_each(Vec::clear);
        for (row, key) in self.encoded.iter().enumerate() {
            self.parts[self.owners[key_group(key) as usize] as usize].push(row as u32);
        }
        let mut found = vec![];
        for (task, rows) in self.parts.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            if rows.len() == batch.num_rows() {
                return Ok(vec![(task, batch)]);
            }
            found.push((task, batch.take(&UInt32Array::from(rows.clone()))?));
        }
        Ok(found)
    }
}

/// The splits of one source, dealt out in turn: all tasks know the same list.
pub(crate) struct Dealer {
    dealt: Mutex<Dealt>,
    tasks: usize,
    home: usize,
}

struct Dealt {
    splits: Vec<Split>,
    enumerated_ms: Option<i64>,
}

impl Dealer {
    pub(crate) fn new(known: Vec<Split>, tasks: &Tasks) -> Arc<Self> {
        let dealt = Mutex::new(Dealt { splits: known, enumerated_ms: None });
        Arc::new(Dealer { dealt, tasks: tasks.count(), home: tasks.home })
    }

    /// Whether this number in the list falls to the task.
    pub(crate) fn is_of(&self, number: usize, task: usize) -> bool {
        (self.home + number) % self.tasks == task
    }

    pub(crate) fn tasks(&self) -> usize {
        self.tasks
    }

    /// Looks for new splits when it is time; those of the task that stand behind the `seen` first ones, which grow.
    pub(crate) fn deal(&self, source: &dyn Source, now_ms: i64, task: usize, seen: &mut usize) -> Result<Vec<Split>> {
        let mut dealt = self.dealt.lock().expect("no holder of this lock panics");
        let due = match (dealt.enumerated_ms, source.discovery_interval_ms()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(last), Some(interval)) => now_ms.saturating_sub(last) >= interval as i64,
        };
        if due {
            let new = source.enumerate(&dealt.splits)?;
            dealt.splits.extend(new);
            dealt.enumerated_ms = Some(now_ms);
        }
        let from = std::mem::replace(seen, dealt.splits.len());
        let new = dealt.splits.iter().enumerate().skip(from);
        Ok(new.filter(|(number, _)| self.is_of(*number, task)).map(|(_, split)| split.clone()).collect())
    }
}

/// Tells what stands in a plan at a place that has to be there.
pub(crate) fn missing(what: &str) -> Error {
    Error::bug(format!("the exchange has no {what}"))
}
