//! Pipelines over sources in memory, with the exact changelog expected. Every check runs the same input whole, row by
//! row, and with a checkpoint, a rebuild and a restore after each row and at every cut.

mod changelog;
mod group;
mod harness;
mod operators;
mod random;
mod run;
mod sink;
mod source;
mod tasks;
mod time_to_live;
mod window;
mod window_kinds;
