//! Formats: bytes of records to rows and back. One file each.

pub(crate) mod json;
