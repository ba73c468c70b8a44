//! The settings as needed: checked, with defaults filled in, paths resolved, signers read.

use std::time::Duration;

use super::Rsync;
use crate::admin::Https;
use crate::http;
use crate::ingest::{Intake, source};

/// Everything that `serve` needs.
#[derive(Debug)]
pub struct Settings {
    pub intake: Intake,
    /// Where packages are fetched from.
    pub sources: Vec<source::Settings>,
    /// From one corte to the next.
    pub interval: Duration,
    pub http: http::Settings,
    /// The operators' door that others reach.
    pub admin: Option<Https>,
    /// For rsyncd, which runs beside the service.
    pub rsync: Rsync,
}
