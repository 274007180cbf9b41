//! arus-core
