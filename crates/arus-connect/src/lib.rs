//! Sources, sinks and formats, and the two lists that name them.
//!
//! A reader hands out bytes and never decodes; a decoder never reads. What a connector needs of the machine (files,
//! clock, standard output) comes with [`arus_core::connector::ConnectContext`].

mod alert;
mod format;
#[cfg(test)]
mod hostile_tests;
pub mod notify;
mod options;
mod outbox;
mod registry;
mod sink;
mod source;
mod topic;

#[cfg(test)]
mod conformance;

pub use format::json::{split_json, split_ndjson, unknown_fields};
pub use format::kafka_record::kafka_record_columns;
pub use options::check_options;
pub use outbox::sink_schema;
pub use registry::Registry;
pub use sink::print::RowLines;
pub use source::host_metrics::host_metrics_columns;
pub use topic::{TOPIC_OPTIONS, TopicSource};
