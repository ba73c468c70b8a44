//! The settings as needed: checked, with defaults filled in, paths resolved, signers read.

use std::path::PathBuf;
use std::time::Duration;

use crate::admin;
use crate::corte::{Limits, Signers, Tipo};
use crate::http;
use crate::ingest::ContentCheck;

/// Everything that `serve` needs.
#[derive(Debug)]
pub struct Settings {
    pub election: String,
    pub kind: Tipo,
    pub signers: Signers,
    pub identity: Option<String>,
    pub incoming: PathBuf,
    pub content_check: ContentCheck,
    /// From one corte to the next.
    pub interval: Duration,
    /// Cortes before the live one that stay reachable.
    pub keep: usize,
    pub settle: Duration,
    pub limits: Limits,
    pub http: http::Settings,
    /// The operators' side, and the state folder.
    pub admin: admin::Settings,
}
