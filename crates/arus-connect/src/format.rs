//! Formats: bytes of records to rows and back. One file each.

pub(crate) mod csv;
pub(crate) mod debezium_json;
pub(crate) mod json;
pub(crate) mod kafka_record;
pub(crate) mod parquet;
pub(crate) mod raw;
