//! arus-connect
