//! What the coordinator sends to a data thread, and the bell that wakes it.
//!
//! Sending never waits, so that coordinator and data threads cannot wait for each other. The protocol bounds the queue: an
//! order is sent for each task at each epoch, checkpoint and statement, and the next epoch begins when the last is answered.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use arus_stream::{Checkpoint, Pipeline, Waker};

/// What a data thread is told of all its tasks of a pipeline. `run` names a start of the pipeline: a restart has another.
pub(crate) enum Order {
    Add(Box<NewTask>),
    /// Runs in the order in which they take turns: writers before their readers.
    Arrange(Arc<[u64]>),
    Remove {
        run: u64,
    },
    /// Take the barrier of an epoch, then stand still until [`Order::Resume`].
    Barrier {
        run: u64,
        epoch: u64,
        /// The epoch is to become a checkpoint.
        freeze: bool,
        /// A reader of a pipeline's topic may take so long to come to the marker.
        patience_ns: u64,
    },
    /// The epoch is over.
    Resume,
    /// The checkpoint stands in the manifest.
    Durable {
        run: u64,
        cut: Arc<Checkpoint>,
    },
    /// The input ends here.
    Drain {
        run: u64,
    },
    Exit,
}

/// A task of a pipeline, to be run.
pub(crate) struct NewTask {
    pub(crate) run: u64,
    pub(crate) number: usize,
    pub(crate) pipeline: Pipeline,
    /// Pipelines on other threads may wait for what it writes.
    pub(crate) feeds: bool,
}

#[derive(Default)]
pub(crate) struct Mailbox {
    orders: Mutex<VecDeque<Order>>,
    has_orders: AtomicBool,
    rung: AtomicBool,
    bell: Condvar,
}

impl Mailbox {
    pub(crate) fn send(&self, order: Order) {
        self.orders.lock().expect("no holder of this lock panics").push_back(order);
        self.has_orders.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn has_orders(&self) -> bool {
        self.has_orders.load(Ordering::Acquire)
    }

    /// What has come; the bell is silent until it rings again.
    pub(crate) fn take(&self) -> VecDeque<Order> {
        self.rung.store(false, Ordering::SeqCst);
        if !self.has_orders.swap(false, Ordering::AcqRel) {
            return VecDeque::new();
        }
        std::mem::take(&mut *self.orders.lock().expect("no holder of this lock panics"))
    }

    /// Returns when the bell has rung since the last [`Mailbox::take`], or after this long.
    pub(crate) fn wait(&self, at_most: Duration) {
        let orders = self.orders.lock().expect("no holder of this lock panics");
        if !self.rung.load(Ordering::SeqCst) {
            drop(self.bell.wait_timeout(orders, at_most).expect("no holder of this lock panics"));
        }
    }
}

impl Waker for Mailbox {
    fn wake(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            // Whoever has looked at the bell and not yet gone to sleep holds the lock.
            drop(self.orders.lock().expect("no holder of this lock panics"));
            self.bell.notify_one();
        }
    }
}
