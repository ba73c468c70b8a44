//! Interim responses of an origin (RFC 9110, 15.2): 103 (RFC 8297) and its like, passed on to the one whose request it was.
//! 100 and 101 are each connection's own.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Response, StatusCode, Version};

use super::hops;

/// Interim responses that one request gets. An honest origin sends one or two; one without end would keep a client busy.
const PASSED_MOST: usize = 8;
/// Bytes of one's fields. Links to preload are some hundred.
const FIELDS_BYTES: usize = 8 << 10;

/// What has been told and not yet heard. Every request has one and hardly any has anything in it, so it is small.
#[derive(Default)]
struct Told {
    passed: usize,
    waiting: VecDeque<Response<()>>,
    listener: Option<Waker>,
}

type Shared = Arc<Mutex<Told>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Told> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What comes before the answer, as its receiver reads it.
pub struct Coming(Shared);

impl Coming {
    /// The next one; pending also where there never will be one.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Response<()>> {
        let mut told = lock(&self.0);
        if let Some(response) = told.waiting.pop_front() {
            return Poll::Ready(response);
        }
        if !told.listener.as_ref().is_some_and(|listener| listener.will_wake(cx.waker())) {
            told.listener = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    pub async fn recv(&mut self) -> Response<()> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next one, if it is there.
    pub fn try_recv(&mut self) -> Option<Response<()>> {
        lock(&self.0).waiting.pop_front()
    }
}

/// Where interim responses of one request go; whoever has it may be gone.
#[derive(Clone)]
pub struct Early(Shared);

impl Early {
    pub fn new() -> (Early, Coming) {
        let shared = Shared::default();
        (Early(shared.clone()), Coming(shared))
    }

    /// For whoever sends the request. `name`: ours in `Via`.
    pub fn hearing(&self, name: &Arc<str>) -> Hearing {
        Hearing { early: self.clone(), name: name.clone() }
    }

    pub fn pass(&self, response: Response<()>) {
        let mut told = lock(&self.0);
        if told.passed == PASSED_MOST {
            return;
        }
        told.passed += 1;
        told.waiting.push_back(response);
        let listener = told.listener.take();
        drop(told);
        listener.inspect(Waker::wake_by_ref);
    }
}

/// Who is told of what comes before a response.
#[derive(Clone)]
pub struct Hearing {
    early: Early,
    /// Ours in `Via`.
    name: Arc<str>,
}

impl Hearing {
    /// Passes on what may be.
    pub fn tell(&self, status: StatusCode, version: Version, fields: &HeaderMap) {
        if let Some(response) = passed_on(status, version, fields, &self.name) {
            self.early.pass(response);
        }
    }
}

/// As it goes on; `None` for what does not.
fn passed_on(status: StatusCode, version: Version, fields: &HeaderMap, name: &str) -> Option<Response<()>> {
    let is_own = matches!(status, StatusCode::CONTINUE | StatusCode::SWITCHING_PROTOCOLS);
    if is_own || !status.is_informational() {
        return None;
    }
    let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let mut fields = Some(fields).filter(|_| bytes <= FIELDS_BYTES)?.clone();
    hops::strip(&mut fields).ok()?;
    // It has no body (RFC 9110, 8.6).
    fields.remove(CONTENT_LENGTH);
    hops::add_via(&mut fields, version, name);
    let mut response = Response::new(());
    (*response.status_mut(), *response.headers_mut()) = (status, fields);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_on() {
        let long = "x".repeat(FIELDS_BYTES);
        for (status, name, value, expected) in [
            (103, "link", "</a.css>; rel=preload", Some("link: </a.css>; rel=preload|via: 1.1 difusor")),
            (102, "x", "1", Some("x: 1|via: 1.1 difusor")),
            (103, "content-length", "5", Some("via: 1.1 difusor")),
            (103, "keep-alive", "5", Some("via: 1.1 difusor")),
            (103, "connection", "host", None),
            (103, "link", &long, None),
            (100, "x", "1", None),
            (101, "upgrade", "websocket", None),
            (200, "x", "1", None),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(name, value.parse().unwrap());
            let passed = passed_on(status.try_into().unwrap(), Version::HTTP_11, &fields, "difusor");
            let lines = passed.map(|response| {
                let lines =
                    response.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
                lines.collect::<Vec<_>>().join("|")
            });
            assert_eq!(lines.as_deref(), expected, "{status} {name}");
        }
    }

    #[test]
    fn no_more_than_a_few() {
        let (early, mut coming) = Early::new();
        for passed in 0..PASSED_MOST * 2 {
            early.pass(Response::new(()));
            assert_eq!(coming.try_recv().is_some(), passed < PASSED_MOST);
        }
    }
}
