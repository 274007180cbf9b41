//! The engine: pipelines, epochs and checkpoints, the catalog, and what the doors ask of it.
//!
//! A statement's way: [`session`] parses and plans it, [`ddl`] makes it durable with the help of the data thread
//! ([`domain`]) and the checkpoint thread ([`checkpoint`]). A row's way: [`ingest`] or the Kafka door appends it to the log, the data
//! thread runs it through its pipelines, [`published`] shows the epoch to readers.

mod access;
mod admission;
mod alerts;
mod alter;
mod analyze;
mod backup;
mod bounded;
mod catalog;
mod change;
mod changes;
mod check;
mod checkpoint;
mod config;
mod damage;
mod dashboards;
mod ddl;
mod delivery;
mod disk;
mod domain;
mod engine;
mod explain;
mod figures;
mod follow;
mod gate;
mod ingest;
mod io;
mod jobs;
mod log_door;
mod materialized;
mod memory;
mod owners;
mod parameters;
mod permitted;
mod platform;
mod project;
mod published;
mod pump;
mod rates;
mod read_cache;
mod recovery;
mod replay;
mod restore;
mod script;
mod session;
mod shared;
mod shown;
#[cfg(test)]
mod sim;
mod snapshot;
mod status;
mod system;
mod tables;
#[cfg(test)]
mod tests;
mod trail;
mod users;
mod virtual_time;
mod waiting;
mod watch;
mod why;

/// The functions that are built in.
pub fn function_names() -> Vec<&'static str> {
    arus_core::function::FunctionCatalog::names(&arus_expr::Functions)
}

pub use check::{CheckReport, check_script};
pub use config::{EngineConfig, Mode};
pub use engine::Engine;
pub use memory::SMALLEST_BUDGET;
pub use script::ScriptEnd;
pub use trail::{Trail, TrailStep};
pub use virtual_time::{TextRows, VirtualEngine};
