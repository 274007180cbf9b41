//! Connectors that read. One file each.

pub(crate) mod filesystem;
