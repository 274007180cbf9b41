//! Flink's functions, casts and their evaluation over Arrow batches.
//!
//! [`Functions`] tells the binder which functions exist and which types they take and give. [`Program`] and
//! [`Predicate`] are bound expressions compiled once and run on every batch; a row whose evaluation fails is
//! reported apart and costs nothing to the other rows. [`ConstantEvaluator`] folds constants.

mod cast;
mod catalog;
mod functions;
mod java_regex;
mod json;
mod like;
mod pattern;
mod program;
mod scalar;
mod simple_date;
mod typing;
mod utf16;
mod value;

pub use catalog::Functions;
pub use json::push_quoted as push_json_text;
pub use program::{ConstantEvaluator, EvalContext, Evaluated, Predicate, Program, Selected};
pub use scalar::{array_to_datum, datum_to_array};
pub use value::FailedRow;

#[cfg(test)]
mod tests;
