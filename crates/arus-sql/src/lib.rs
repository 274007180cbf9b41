//! arus-sql
