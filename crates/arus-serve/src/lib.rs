//! arus-serve
