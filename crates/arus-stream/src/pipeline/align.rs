//! Alignment of a node's inputs: one watermark, one status, one barrier out of several.
//!
//! As in Flink, an input that was idle counts again for the watermark once its own has caught up with what was
//! forwarded, so that the forwarded watermark never goes back; when all inputs are idle the highest of theirs is
//! forwarded before the status.

use arus_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::message::{WATERMARK_END, WATERMARK_NONE};

/// The state of a node's inputs; part of the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alignment {
    ports: Vec<Port>,
    /// What was forwarded.
    watermark: i64,
    idle: bool,
    ended: bool,
    /// The barrier that some ports have passed and others have not.
    #[serde(skip)]
    barrier: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Port {
    watermark: i64,
    idle: bool,
    /// Whether its watermark counts: false after idleness until it has caught up.
    aligned: bool,
    ended: bool,
    #[serde(skip)]
    at_barrier: bool,
}

/// What is to be forwarded, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Forward {
    pub(crate) watermark: Option<i64>,
    pub(crate) idle: bool,
}

impl Alignment {
    pub(crate) fn new(ports: usize) -> Self {
        let port = Port { watermark: WATERMARK_NONE, idle: false, aligned: true, ended: false, at_barrier: false };
        Alignment { ports: vec![port; ports], watermark: WATERMARK_NONE, idle: false, ended: false, barrier: None }
    }

    pub(crate) fn watermark(&self) -> i64 {
        self.watermark
    }

    pub(crate) fn ports(&self) -> usize {
        self.ports.len()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.idle
    }

    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// All inputs have ended, but nobody was told: they did so at home while a task of another number was restored.
    pub(crate) fn end_is_due(&self) -> bool {
        !self.ended && !self.ports.is_empty() && self.ports.iter().all(|p| p.ended)
    }

    /// All inputs have ended: the watermark to forward before the end, if it rises.
    pub(crate) fn end(&mut self) -> Option<i64> {
        self.ended = true;
        self.raise(Some(WATERMARK_END))
    }

    /// Whether nothing may be read from the input: it has passed a barrier that others have not.
    pub(crate) fn holds(&self, port: usize) -> bool {
        self.ports[port].at_barrier
    }

    /// The same for a task in which each input comes from so many tasks.
    pub(crate) fn spread(&self, ways: &[usize]) -> Alignment {
        let ports = self.ports.iter().zip(ways).flat_map(|(port, ways)| std::iter::repeat_n(port.clone(), *ways));
        Alignment { ports: ports.collect(), ..self.clone() }
    }

    /// Of all tasks together, each with the tasks that its inputs come from: the lowest of those that are active decide.
    pub(crate) fn merged(parts: &[(Alignment, Vec<usize>)]) -> Alignment {
        let inputs = parts.first().map_or(0, |(_, ways)| ways.len());
        let mut ports: Vec<Vec<&Port>> = vec![vec![]; inputs];
        for (part, ways) in parts {
            let mut rest = part.ports.iter();
            for (port, ways) in ports.iter_mut().zip(ways) {
                port.extend(rest.by_ref().take(*ways));
            }
        }
        let status = parts.iter().map(|(part, _)| (part.watermark, part.idle, part.ended));
        let (watermark, idle, ended) = together(status);
        Alignment {
            ports: ports.iter().map(|port| Port::merged(port)).collect(),
            watermark,
            idle,
            ended,
            barrier: None,
        }
    }

    /// Nothing comes from the input at first.
    pub(crate) fn begin_idle(&mut self, port: usize) {
        self.ports[port].idle = true;
        self.idle = self.all_idle();
    }

    fn all_idle(&self) -> bool {
        self.ports.iter().all(|p| p.idle || p.ended)
    }

    /// Data came in.
    pub(crate) fn on_batch(&mut self, port: usize) {
        self.activate(port);
    }

    fn activate(&mut self, port: usize) {
        let port = &mut self.ports[port];
        if port.idle {
            port.idle = false;
            port.aligned = port.watermark >= self.watermark;
        }
        self.idle = false;
    }

    /// The watermark to forward, if it rises.
    pub(crate) fn on_watermark(&mut self, port: usize, watermark: i64) -> Option<i64> {
        self.activate(port);
        let port = &mut self.ports[port];
        port.watermark = port.watermark.max(watermark);
        port.aligned |= port.watermark >= self.watermark;
        self.raise(self.lowest())
    }

    fn lowest(&self) -> Option<i64> {
        self.ports.iter().filter(|p| !p.idle && p.aligned).map(|p| p.watermark).min()
    }

    fn raise(&mut self, to: Option<i64>) -> Option<i64> {
        let to = to.filter(|to| *to > self.watermark)?;
        self.watermark = to;
        Some(to)
    }

    pub(crate) fn on_idle(&mut self, port: usize) -> Forward {
        if self.ports[port].idle {
            return Forward::default();
        }
        self.ports[port].idle = true;
        self.idle = self.all_idle();
        if self.idle {
            let highest = self.ports.iter().filter(|p| !p.ended).map(|p| p.watermark).max();
            return Forward { watermark: self.raise(highest), idle: true };
        }
        Forward { watermark: self.raise(self.lowest()), idle: false }
    }

    /// Whether all inputs have ended now.
    pub(crate) fn on_end(&mut self, port: usize) -> bool {
        self.ports[port].ended = true;
        let ended = self.ports.iter().all(|p| p.ended);
        !std::mem::replace(&mut self.ended, ended) && ended
    }

    /// Whether all inputs have passed the barrier now.
    pub(crate) fn on_barrier(&mut self, port: usize, epoch: u64) -> Result<bool> {
        if *self.barrier.get_or_insert(epoch) != epoch || self.ports[port].at_barrier {
            return Err(Error::bug(format!("barrier {epoch} came while {:?} was under way", self.barrier)));
        }
        self.ports[port].at_barrier = true;
        if !self.ports.iter().all(|p| p.at_barrier) {
            return Ok(false);
        }
        self.barrier = None;
        for port in &mut self.ports {
            port.at_barrier = false;
        }
        Ok(true)
    }
}

impl Port {
    fn merged(parts: &[&Port]) -> Port {
        let counts = |p: &&&Port| p.aligned || p.idle || p.ended;
        let aligned = parts.iter().any(|p| !p.idle && !p.ended && p.aligned);
        let (watermark, idle, ended) = match aligned {
            true => together(parts.iter().filter(counts).map(|p| (p.watermark, p.idle, p.ended))),
            false => together(parts.iter().map(|p| (p.watermark, p.idle, p.ended))),
        };
        Port { watermark, idle, aligned: aligned || idle || ended, ended, at_barrier: false }
    }
}

/// (watermark, idle, ended) of several streams as one: the lowest of the active ones; the highest where all are idle.
pub(crate) fn together(parts: impl Iterator<Item = (i64, bool, bool)>) -> (i64, bool, bool) {
    let open: Vec<(i64, bool)> = parts.filter(|(_, _, ended)| !ended).map(|(mark, idle, _)| (mark, idle)).collect();
    match open.iter().filter(|(_, idle)| !idle).map(|(mark, _)| *mark).min() {
        Some(lowest) => (lowest, false, false),
        None => (open.iter().map(|(mark, _)| *mark).max().unwrap_or(WATERMARK_END), !open.is_empty(), open.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_tasks_had_one_task_can_go_on_from() {
        let mut tasks: Vec<Alignment> = (0..2).map(|_| Alignment::new(3)).collect();
        for task in &mut tasks {
            // Port 0 is in the same task, 1 and 2 are one input from two tasks.
            task.on_watermark(1, 7);
            task.on_watermark(2, 9);
        }
        tasks[0].on_watermark(0, 4);
        tasks[1].on_watermark(0, 20);
        let parts: Vec<_> = tasks.into_iter().map(|task| (task, vec![1, 2])).collect();
        let mut one = Alignment::merged(&parts);
        assert_eq!((one.ports(), one.watermark()), (2, 4));
        assert_eq!(one.on_watermark(0, 30), Some(7));
        let mut three = one.spread(&[1, 3]);
        assert_eq!(three.ports(), 4);
        assert_eq!(
            (three.on_watermark(1, 8), three.on_watermark(2, 9), three.on_watermark(3, 8)),
            (None, None, Some(8))
        );
        let ended = Alignment::merged(&[(Alignment::new(0), vec![0]), (one, vec![1, 1])]);
        assert_eq!((ended.ports(), ended.ended()), (1, false));
    }

    #[test]
    fn the_lowest_active_input_decides() {
        let mut both = Alignment::new(2);
        assert_eq!(both.on_watermark(0, 5), None);
        assert_eq!(both.on_watermark(1, 3), Some(3));
        assert_eq!(both.on_watermark(1, 9), Some(5));
        assert_eq!(both.on_idle(0), Forward { watermark: Some(9), idle: false });
        // Back from idleness with an old watermark: nothing goes back, and it holds nothing until it has caught up.
        both.on_batch(0);
        assert_eq!(both.on_watermark(1, 12), Some(12));
        assert_eq!(both.on_watermark(0, 13), None);
        assert_eq!(both.on_watermark(1, 20), Some(13));
        assert_eq!(both.on_idle(0), Forward { watermark: Some(20), idle: false });
        assert_eq!(both.on_idle(1), Forward { watermark: None, idle: true });
    }

    #[test]
    fn barriers_wait_for_all_inputs() {
        let mut both = Alignment::new(2);
        assert!(!both.on_barrier(1, 7).expect("first"));
        assert!(both.on_barrier(1, 7).is_err(), "twice from one input");
        assert!(both.on_barrier(0, 7).expect("second"));
        assert!(!both.on_barrier(0, 8).expect("the next"));
    }

    #[test]
    fn the_end_comes_once() {
        let mut both = Alignment::new(2);
        assert!(!both.on_end(0));
        assert!(both.on_end(1));
        assert!(!both.on_end(1));
    }
}
