//! Sources, sinks and formats, and the two lists that name them.
//!
//! A reader hands out bytes and never decodes; a decoder never reads. What a connector needs of the machine (files,
//! clock, standard output) comes with [`arus_core::connector::ConnectContext`].

mod format;
mod options;
mod registry;
mod sink;
mod source;

#[cfg(test)]
mod conformance;

pub use options::check_options;
pub use registry::Registry;
pub use sink::print::RowLines;
