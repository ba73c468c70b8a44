//! The settings as needed: checked, with defaults filled in, paths resolved, signers read.

use super::Rsync;
use crate::admin::Https;
use crate::http;
use crate::ingest::{Intake, source};
use crate::proxy::corridor;
use crate::snapshot::Looks;

/// Everything that `serve` needs.
#[derive(Debug)]
pub struct Settings {
    pub intake: Intake,
    /// Where packages are fetched from.
    pub sources: Vec<source::Settings>,
    pub looks: Looks,
    /// What is not in the package, where somebody else has it.
    pub proxy: Option<corridor::Settings>,
    pub http: http::Settings,
    /// The operators' door that others reach.
    pub admin: Option<Https>,
    /// For rsyncd, which runs beside the service.
    pub rsync: Rsync,
}
