//! What a source needs of the network: one request, one answer. The real one is `client`; tests have their own.

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;

use super::address::Address;
use super::fault::Fault;

/// Whoever can ask a server. Does not follow redirects, and decodes nothing.
pub trait Wire: Send {
    /// `within`: for the answer and all of its body.
    fn get(&self, address: &Address, fields: &[(HeaderName, String)], within: Duration) -> Result<Answer, Fault>;
}

/// An answer whose body has yet to come.
pub struct Answer {
    pub status: u16,
    pub fields: HeaderMap,
    pub body: Box<dyn Body>,
}

/// A body while it arrives.
pub trait Body {
    /// Some bytes; 0 at the end of a body that is as long as was announced.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Fault>;
}
