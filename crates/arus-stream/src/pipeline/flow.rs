//! How messages flow: through the operators of a task by calls, to other tasks by queues.

use arus_core::plan::NodeId;
use arus_core::{ChangeBatch, Error, Result};

use crate::message::Message;
use crate::operator::{Operator, OperatorContext};
use crate::pipeline::exchange::{Parcel, Scatter, missing};
use crate::pipeline::{Kind, Pipeline};

/// Where the output of an operator goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outlet {
    /// An input of an operator in this task.
    Input(NodeId, usize),
    /// An edge between tasks.
    Edge(usize),
}

/// The end of an edge where this task puts rows in.
pub(crate) struct EdgeEnd {
    /// `None`: all go to the one task at the other end.
    pub(crate) scatter: Option<Scatter>,
    /// The input of the operator behind it for what stays in this task.
    pub(crate) own: Option<(NodeId, usize)>,
    /// Nothing has come since the last `Idle`.
    pub(crate) idle: bool,
}

/// Where this task takes rows of another task from.
pub(crate) struct Inbound {
    pub(crate) edge: usize,
    pub(crate) from: usize,
    pub(crate) node: NodeId,
    pub(crate) port: usize,
}

impl Pipeline {
    /// Takes the oldest message of each queue that may be read; (rows, whether anything came).
    pub(super) fn receive(&mut self) -> Result<(usize, bool)> {
        let (mut rows, mut moved) = (0, false);
        for at in 0..self.inbound.len() {
            let Inbound { edge, from, node, port } = self.inbound[at];
            let task = &self.nodes[node];
            // Rows behind a barrier wait until all that belongs before it is through the whole task.
            if task.align.holds(port) || task.passed > self.completed || !self.has_room(node) {
                continue;
            }
            let Some(parcel) = self.wires.pop(edge, from, self.task) else { continue };
            moved = true;
            let now_ms = self.settings.clock.now_ms();
            match parcel {
                Parcel::Active => self.nodes[node].align.on_batch(port),
                Parcel::Message(message) => {
                    if let Message::Batch(batch) = &message {
                        rows += batch.num_rows();
                    }
                    self.at_barrier = None;
                    self.deliver(node, port, message, now_ms)?;
                }
            }
        }
        Ok((rows, moved))
    }

    /// Whether everything that the output of a node may come to takes more.
    pub(super) fn has_room(&self, node: NodeId) -> bool {
        self.reach[node].iter().all(|edge| self.wires.has_room(*edge, self.task))
    }

    /// Runs a source and delivers what it emits.
    pub(super) fn drive<T>(
        &mut self,
        id: NodeId,
        run: impl FnOnce(&mut Kind, &mut OperatorContext<'_>) -> Result<T>,
    ) -> Result<T> {
        let now_ms = self.settings.clock.now_ms();
        let start_ns = self.settings.clock.monotonic_ns();
        let stats = &self.stats.0[id];
        let node = &mut self.nodes[id];
        let mut outputs = std::mem::take(&mut node.outputs);
        let mut cx = OperatorContext {
            outputs: &mut outputs,
            side: &mut self.side,
            stats,
            node: &node.info,
            now_ms,
            watermark: node.align.watermark(),
        };
        let result = run(&mut node.kind, &mut cx)?;
        stats.add_busy(self.settings.clock.monotonic_ns().saturating_sub(start_ns));
        self.forward(id, outputs, now_ms)?;
        Ok(result)
    }

    fn forward(&mut self, id: NodeId, mut outputs: Vec<Message>, now_ms: i64) -> Result<()> {
        for message in outputs.drain(..) {
            let node = &mut self.nodes[id];
            node.checks.check(&message)?;
            match &message {
                Message::Batch(batch) => {
                    self.at_barrier = None;
                    self.stats.0[id].add_out(batch.num_rows());
                    self.stats.0[id].set_idle(self.task, false);
                }
                Message::Watermark(watermark) => {
                    self.at_barrier = None;
                    self.stats.0[id].set_watermark(self.task, *watermark);
                    self.stats.0[id].set_idle(self.task, false);
                }
                Message::Idle => {
                    self.at_barrier = None;
                    self.stats.0[id].set_idle(self.task, true);
                }
                Message::End => self.at_barrier = None,
                Message::Barrier(_) => {}
            }
            let outlets = self.outlets[id].len();
            for at in 0..outlets {
                let outlet = self.outlets[id][at];
                if at + 1 == outlets {
                    self.pass(outlet, message, now_ms)?;
                    break;
                }
                self.pass(outlet, message.clone(), now_ms)?;
            }
        }
        self.nodes[id].outputs = outputs;
        Ok(())
    }

    fn pass(&mut self, outlet: Outlet, message: Message, now_ms: i64) -> Result<()> {
        match outlet {
            Outlet::Input(node, port) => self.deliver(node, port, message, now_ms),
            Outlet::Edge(edge) => self.ship(edge, message, now_ms),
        }
    }

    /// Rows go to their owners, everything else to all. What stays here runs on at once.
    fn ship(&mut self, edge: usize, message: Message, now_ms: i64) -> Result<()> {
        let end = self.ends[edge].as_mut().ok_or_else(|| missing("way out"))?;
        let was_idle = end.idle;
        end.idle = match &message {
            Message::Batch(_) | Message::Watermark(_) => false,
            Message::Idle => true,
            Message::Barrier(_) | Message::End => was_idle,
        };
        let own = end.own;
        let batch = match message {
            Message::Batch(batch) => batch,
            message => {
                for to in self.wires.edges[edge].to.iter().filter(|to| **to != self.task) {
                    self.wires.push(edge, self.task, *to, Parcel::Message(message.clone()), 0);
                }
                return own.map_or(Ok(()), |(node, port)| self.deliver(node, port, message, now_ms));
            }
        };
        let (rows, bytes) = (batch.num_rows(), batch.memory_bytes());
        let parts = match &mut end.scatter {
            Some(scatter) => scatter.split(batch)?,
            None => vec![(self.wires.tasks.home, batch)],
        };
        if was_idle {
            let others = self.wires.edges[edge].to.iter().filter(|to| **to != self.task);
            for to in others.filter(|to| parts.iter().all(|(task, _)| task != *to)) {
                self.wires.push(edge, self.task, *to, Parcel::Active, 0);
            }
            if let Some((node, port)) = own {
                self.nodes[node].align.on_batch(port);
            }
        }
        let mut stays: Option<ChangeBatch> = None;
        for (to, part) in parts {
            if to == self.task {
                stays = Some(part);
                continue;
            }
            // Parts share the buffers of their batch.
            let bytes = bytes * part.num_rows() / rows.max(1);
            self.wires.push(edge, self.task, to, Parcel::Message(Message::Batch(part)), bytes.max(1));
        }
        match (stays, own) {
            (None, _) => Ok(()),
            (Some(part), Some((node, port))) => self.deliver(node, port, Message::Batch(part), now_ms),
            (Some(_), None) => Err(missing("way in")),
        }
    }

    /// Operators whose inputs had all ended, but whose end has not been told in this task, tell it.
    pub(super) fn tell_ends(&mut self) -> Result<()> {
        for id in std::mem::take(&mut self.ends_due) {
            let raised = self.nodes[id].align.end();
            self.drive(id, |kind, cx| {
                if let Kind::Operator(operator) = kind {
                    raise(operator.as_mut(), raised, cx)?;
                }
                cx.outputs.push(Message::End);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn deliver(&mut self, id: NodeId, port: usize, message: Message, now_ms: i64) -> Result<()> {
        let start_ns = self.settings.clock.monotonic_ns();
        let stats = &self.stats.0[id];
        let node = &mut self.nodes[id];
        let Kind::Operator(operator) = &mut node.kind else {
            return Err(Error::bug("a source has an input"));
        };
        let mut outputs = std::mem::take(&mut node.outputs);
        let align = &mut node.align;
        let mut cx = OperatorContext {
            outputs: &mut outputs,
            side: &mut self.side,
            stats,
            node: &node.info,
            now_ms,
            watermark: align.watermark(),
        };
        match message {
            Message::Batch(batch) => {
                align.on_batch(port);
                stats.add_in(batch.num_rows());
                operator.on_batch(node.ports[port], batch, &mut cx)?;
            }
            Message::Watermark(watermark) => {
                let raised = align.on_watermark(port, watermark);
                raise(operator.as_mut(), raised, &mut cx)?;
            }
            Message::Idle => {
                let forward = align.on_idle(port);
                raise(operator.as_mut(), forward.watermark, &mut cx)?;
                if forward.idle {
                    cx.outputs.push(Message::Idle);
                }
            }
            Message::Barrier(epoch) => {
                if align.on_barrier(port, epoch)? {
                    node.passed = epoch;
                    operator.on_barrier(epoch, &mut cx)?;
                    cx.outputs.push(Message::Barrier(epoch));
                }
            }
            Message::End => {
                if align.on_end(port) {
                    cx.outputs.push(Message::End);
                }
            }
        }
        stats.add_busy(self.settings.clock.monotonic_ns().saturating_sub(start_ns));
        self.forward(id, outputs, now_ms)
    }
}

fn raise(operator: &mut dyn Operator, watermark: Option<i64>, cx: &mut OperatorContext<'_>) -> Result<()> {
    if let Some(watermark) = watermark {
        cx.watermark = watermark;
        operator.on_watermark(watermark, cx)?;
        cx.outputs.push(Message::Watermark(watermark));
    }
    Ok(())
}
