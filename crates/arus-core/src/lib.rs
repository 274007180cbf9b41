//! What every other crate of Arus agrees on: types, batches, plans, traits, errors and limits.
//!
//! This is the hot root of the workspace, so it holds plain data and traits and next to no behaviour.
//! SQL and runtime meet in [`plan::PhysicalPlan`]; doors and engine meet in [`platform`].

pub mod access;
pub mod catalog;
pub mod change;
pub mod client_settings;
pub mod clock;
pub mod connector;
pub mod contained;
pub mod datum;
pub mod delivery;
pub mod error;
pub mod expr;
pub mod fs;
pub mod function;
pub mod key_group;
pub mod limits;
pub mod plan;
mod planted;
pub mod platform;
pub mod postgres_time;
pub mod project;
pub mod read;
pub mod rng;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod text;
pub mod types;

pub use change::{ChangeBatch, RowKind};
pub use datum::Datum;
pub use error::{Error, ErrorKind, Location, Result};
pub use planted::planted;
pub use schema::{Column, RowSchema};
pub use types::{LogicalType, TimeAttribute, TypeKind};
