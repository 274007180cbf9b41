//! arus-query
