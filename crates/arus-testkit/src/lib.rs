//! For tests: random SQL over random input, and a reference interpreter that says what its answer has to be; and what tests
//! of sinks need, a real Postgres server and a proxy that fails.
//!
//! The interpreter shares no code with arus-expr and arus-stream: rows, loops, plain values. It starts from the tree as
//! it was bound, so that a wrong pass shows as well as a wrong operator. What it does not know it refuses.

pub mod generate;
pub mod postgres;
pub mod proxy;
pub mod reference;
pub mod world;

#[cfg(test)]
mod tests;
