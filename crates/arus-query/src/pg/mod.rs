//! `pg_catalog` and `information_schema`: what a snapshot holds, as PostgreSQL's clients look it up.
//!
//! [`model::Model`] numbers what there is; [`tables`] and [`information`] write it as rows; [`functions`] answers by number
//! or name. Everything of one query comes from one snapshot. Numbers stay for the life of the server.

pub(crate) mod functions;
mod information;
pub(crate) mod model;
mod rows;
pub(crate) mod schemas;
mod tables;
pub(crate) mod types;
