//! Flink SQL: lexer, parser, binder and planner, from text to arus-core's physical plan. No runtime dependency.

pub mod ast;
pub mod nearest;
