//! Flink SQL: lexer, parser, binder and planner, from text to arus-core's physical plan. No runtime dependency.

pub mod access;
mod alert;
mod assist;
pub mod ast;
mod bind;
mod explain;
mod lexer;
pub mod nearest;
pub mod parser;
mod pass;
mod physical;
mod planner;
mod rel;
mod set;
mod show;
pub mod unparse;

#[cfg(test)]
mod tests;

pub use alert::{ALERT_CONNECTOR, AlertDef, Notify, Piece, Severity, Summary};
pub use assist::{TokenClass, classify, suggest};
pub use bind::{MANAGED_OPTIONS, holds_values_of, managed_default, managed_metadata};
pub use explain::fingerprint;
pub use lexer::is_reserved;
pub use planner::{AlertChange, MaterializedChange, Planned, PlannedStatement, Planner, PlannerOptions, syntax_error};
pub use rel::{Rel, RelOp};
