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
    pub http: http::Settings,
    /// What is left out first while more is asked for than can be sent.
    pub ladder: http::ladder::Rules,
    /// The operators' door that others reach.
    pub admin: Option<Https>,
    /// What is asked of origins; `None` where nothing is.
    pub proxy: Option<corridor::Settings>,
    /// For rsyncd, which runs beside the service.
    pub rsync: Rsync,
}
