//! arus-storage
