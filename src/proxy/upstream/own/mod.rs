//! HTTP/1.1 of our own for what is asked most: GET and HEAD without a body, where an origin is not offered HTTP/2. One write,
//! one read, one task. Everything else is hyper's, and whatever an origin does, both come to the same.
//!
//! Pure: [`request`] writes a head, [`response`] reads one, [`framing`] finds the end of a body. [`wire`] has the connection,
//! [`exchange`] sends a request, and once more where that is safe; [`straight`] lets the client's task do the first try.

pub(super) mod exchange;
pub(super) mod framing;
pub mod fuzz;
mod request;
mod response;
pub mod straight;
pub(super) mod wire;

pub(super) use request::takes;
pub use response::FIELDS_MOST;
