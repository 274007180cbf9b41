//! Ad-hoc batch SQL in PostgreSQL's dialect over snapshots of tables.
//!
//! The only crate that knows the whole of DataFusion. A query reads one [`arus_core::read::Snapshot`], so all its
//! tables are of one epoch; `pg_catalog` and `information_schema` describe the same snapshot.

mod catalog;
mod dialect;
mod engine;
mod errors;
mod function;
mod identifiers;
mod keys;
mod names;
mod outside;
mod params;
mod pg;
mod points;
mod rewrite;
mod running;
mod table;
mod text;

pub use engine::{Params, QueryEngine, QuerySession, QueryShape, SnapshotSource};
pub use params::read_text;
