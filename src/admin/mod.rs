//! Floor 7: the operators' side. One small service behind two doors: a socket on this machine, where everything is
//! allowed, and HTTPS for whoever pushes packages or reads metrics with a certificate or a token. Its requests are few and
//! may be slow; it has a thread of its own, so that nobody who reads results ever waits for it.

mod act;
mod answer;
pub mod client;
mod crowd;
mod desk;
mod parcel;
mod problem;
mod purge;
pub mod push;
mod receive;
mod route;
mod server;
mod service;
mod socket;
mod staging;
pub mod tokens;
mod upload;
mod who;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::disk::Disk;
use crate::http::tls::{CertificateFiles, Clients};
use crate::proxy::corridor::Corridor;
use crate::record::{Journal, Metrics};
use crate::snapshot::Live;

pub use desk::Desk;
pub use parcel::{Parcel, ParcelFault};
pub use route::Name;
pub use server::{Admin, StartFault};
pub use socket::{PathFault, socket_path};

/// What the operators' side is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folder for everything that is kept; the socket and the staging folder lie in it.
    pub state: PathBuf,
    /// Largest package.
    pub package_bytes: u64,
    /// Bytes that what arrives leaves free on the disk.
    pub reserve: u64,
    pub https: Option<Https>,
}

/// The door that others reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Https {
    pub address: SocketAddr,
    pub certificate: CertificateFiles,
    /// Authorities whose certificates let in.
    pub client_ca: Option<PathBuf>,
    /// The file of tokens that let in.
    pub tokens: Option<PathBuf>,
}

impl Https {
    /// Who has to show a certificate: everybody, where there are no tokens.
    pub fn clients(&self) -> Option<Clients> {
        let may_do_without = self.tokens.is_some();
        self.client_ca.clone().map(|authorities| Clients { authorities, may_do_without })
    }
}

/// Whom the operators' side works with.
pub struct Company {
    pub desk: Arc<dyn Desk>,
    pub live: Arc<Live>,
    pub journal: Arc<Journal>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub disk: Disk,
    /// Where there is an origin behind us.
    pub corridor: Option<Arc<Corridor>>,
}
