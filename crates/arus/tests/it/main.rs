//! The built binary from outside: its doors, its faults, its restarts.
//!
//! Every test has a server of its own in a temporary folder, on free ports of the loopback; `psql` and `kcat` are the
//! Debian packages that `scripts/needs` installs.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests of the built binary over real files"
)]

mod access;
mod alerts;
mod apply;
mod bi;
mod changes;
mod conformance;
mod cores;
mod crashes;
mod credentials;
mod docs;
mod drivers;
mod durability;
mod errors;
mod faults;
mod fuzz;
mod http;
mod ingest;
mod kafka;
mod kafka_wire;
mod keep;
mod keyed;
mod ledger;
mod memory;
mod otlp;
mod outboxes;
mod overload;
mod prepared;
mod producers;
mod project;
mod replay;
mod restarts;
mod rests;
mod server;
mod shell;
mod shop;
mod sinks;
mod slice;
mod statements;
mod stops;
mod upgrades;
mod watch;
mod wire;
