//! Flink SQL: lexer, parser, binder and planner, from text to arus-core's physical plan. No runtime dependency.

pub mod ast;
mod lexer;
pub mod nearest;
pub mod parser;
pub mod unparse;

pub use lexer::is_reserved;
