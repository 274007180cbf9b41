//! arus-stream
