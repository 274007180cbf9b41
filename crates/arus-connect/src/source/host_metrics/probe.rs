//! Where the figures come from: `/proc`, by way of sysinfo.

use arus_core::{Error, Result};
use sysinfo::{Disks, Networks, ProcessRefreshKind, ProcessesToUpdate, System};

use super::Figure;

/// One machine; rates are since the last call.
pub(crate) trait Probe: Send {
    fn host(&self) -> &str;

    /// `seconds` since the last call, or since the probe was made.
    fn sample(&mut self, processes: usize, seconds: f64) -> Result<Vec<Figure>>;
}

/// The machine that this process runs on.
pub(crate) struct Machine {
    host: String,
    system: System,
    disks: Disks,
    networks: Networks,
}

fn failed(what: &str) -> impl Fn(sysinfo::Error) -> Error {
    move |error| Error::external(format!("host-metrics: cannot read {what}: {error}"))
}

impl Machine {
    /// Takes the first readings, from which usage and rates count.
    pub(crate) fn new() -> Result<Self> {
        let mut machine = Machine {
            host: System::host_name().unwrap_or_else(|_| "localhost".to_string()),
            system: System::new().map_err(failed("the system"))?,
            disks: Disks::new_with_refreshed_list().map_err(failed("disks"))?,
            networks: Networks::new_with_refreshed_list().map_err(failed("network interfaces"))?,
        };
        machine.refresh();
        Ok(machine)
    }

    fn refresh(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        // Threads, paths and environments are neither shown nor cheap.
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
        self.disks.refresh(true);
        self.networks.refresh(true);
    }

    fn cpu(&self, out: &mut Vec<Figure>) {
        push(out, "cpu", "total", &[("usage", f64::from(self.system.global_cpu_usage()), "%")]);
        for (i, cpu) in self.system.cpus().iter().enumerate() {
            push(out, "cpu", &format!("cpu{i}"), &[("usage", f64::from(cpu.usage()), "%")]);
        }
    }

    fn memory(&self, out: &mut Vec<Figure>) {
        let (total, used) = (self.system.total_memory() as f64, self.system.used_memory() as f64);
        let figures = [
            ("total", total, "bytes"),
            ("used", used, "bytes"),
            ("available", self.system.available_memory() as f64, "bytes"),
            ("usage", share(used, total), "%"),
        ];
        push(out, "memory", "ram", &figures);
        let swap =
            [("total", self.system.total_swap() as f64, "bytes"), ("used", self.system.used_swap() as f64, "bytes")];
        push(out, "memory", "swap", &swap);
    }

    fn disks(&self, out: &mut Vec<Figure>, seconds: f64) {
        for disk in &self.disks {
            let (total, available) = (disk.total_space() as f64, disk.available_space() as f64);
            if total == 0.0 {
                continue;
            }
            let usage = disk.usage();
            let figures = [
                ("total", total, "bytes"),
                ("used", total - available, "bytes"),
                ("available", available, "bytes"),
                ("usage", share(total - available, total), "%"),
                ("read", usage.read_bytes as f64 / seconds, "bytes/s"),
                ("written", usage.written_bytes as f64 / seconds, "bytes/s"),
            ];
            push(out, "disk", &disk.mount_point().to_string_lossy(), &figures);
        }
    }

    fn networks(&self, out: &mut Vec<Figure>, seconds: f64) {
        let mut interfaces: Vec<_> = self.networks.iter().collect();
        interfaces.sort_by_key(|(name, _)| name.to_os_string());
        for (name, data) in interfaces {
            let figures = [
                ("received", data.received() as f64 / seconds, "bytes/s"),
                ("transmitted", data.transmitted() as f64 / seconds, "bytes/s"),
            ];
            push(out, "network", &name.to_string_lossy(), &figures);
        }
    }

    /// The busiest first.
    fn processes(&self, out: &mut Vec<Figure>, top: usize) {
        let mut processes: Vec<_> = self.system.processes().values().collect();
        processes.sort_by(|a, b| {
            b.cpu_usage().total_cmp(&a.cpu_usage()).then(b.memory().cmp(&a.memory())).then(a.pid().cmp(&b.pid()))
        });
        for process in processes.into_iter().take(top) {
            let start = out.len();
            let figures = [("cpu", f64::from(process.cpu_usage()), "%"), ("memory", process.memory() as f64, "bytes")];
            push(out, "process", &process.name().to_string_lossy(), &figures);
            out[start..].iter_mut().for_each(|f| f.pid = Some(i64::from(process.pid().as_u32())));
        }
    }
}

impl Probe for Machine {
    fn host(&self) -> &str {
        &self.host
    }

    fn sample(&mut self, processes: usize, seconds: f64) -> Result<Vec<Figure>> {
        self.refresh();
        let seconds = seconds.max(1e-3);
        let mut out = Vec::with_capacity(64);
        self.cpu(&mut out);
        self.memory(&mut out);
        let load = System::load_average().map_err(failed("the load"))?;
        push(&mut out, "load", "load", &[("1m", load.one, ""), ("5m", load.five, ""), ("15m", load.fifteen, "")]);
        self.disks(&mut out, seconds);
        self.networks(&mut out, seconds);
        self.processes(&mut out, processes);
        Ok(out)
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole * 100.0 } else { 0.0 }
}

fn push(out: &mut Vec<Figure>, kind: &'static str, name: &str, figures: &[(&'static str, f64, &'static str)]) {
    for (metric, value, unit) in figures {
        let value = if value.is_finite() { value.max(0.0) } else { 0.0 };
        out.push(Figure { kind, name: name.to_string(), metric, value, unit, pid: None });
    }
}
