//! Connectors that only write. One file each.

pub(crate) mod blackhole;
pub(crate) mod filesystem;
pub(crate) mod jdbc;
pub(crate) mod print;
