//! arus-engine
