//! Connectors that read. One file each.

pub(crate) mod datagen;
pub(crate) mod filesystem;
pub(crate) mod host_metrics;
pub(crate) mod nexmark;
pub(crate) mod shop;
