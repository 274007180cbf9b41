//! arus-expr
