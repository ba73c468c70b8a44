//! After 101 (RFC 9110, 7.8): two connections become one, until either ends. Runs in the client's own task, so that its
//! place, the sweep and the stop hold for it too.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

/// Where both ends are left until the client's connection is free.
#[derive(Clone, Default)]
pub struct Ends(Arc<Mutex<Option<(OnUpgrade, OnUpgrade)>>>);

impl Ends {
    pub fn leave(&self, client: OnUpgrade, origin: OnUpgrade) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((client, origin));
    }

    /// Carries bytes both ways, where anything was left. The idle limit is the sweep's.
    pub async fn carry(self) {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((client, origin)) = left else { return };
        let (Ok(client), Ok(origin)) = (client.await, origin.await) else { return };
        // How it ended is the affair of the two.
        let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(origin)).await;
    }
}
