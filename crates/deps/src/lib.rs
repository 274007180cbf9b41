//! Every third-party dependency and no code.
//!
//! Cargo unifies the features of dependencies over the crates that are selected on its command line, so
//! `cargo test -p arus-expr` alone would build most of them a second time with fewer features. With
//! `-p arus-deps` beside it one build serves all selections. It also is what a cold build of the
//! dependencies alone is measured on.
