//! `difusor`: verified election results, from the authority's signed package to every reader.
//!
//! The library exists for this project's own binary, tests, benches and fuzz targets; its API is not
//! a promise to others. ARCHITECTURE.md tells what lives where. A module imports only from floors below.

#![deny(unsafe_code)]

pub mod admin;
pub mod app;
pub mod base;
pub mod cli;
pub mod config;
pub mod corte;
pub mod http;
pub mod ingest;
pub mod inspect;
pub mod portal;
pub mod proxy;
pub mod readers;
pub mod record;
pub mod rehearse;
pub mod schedule;
pub mod snapshot;
pub mod store;
