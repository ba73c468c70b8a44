//! Health checks: each place of an upstream is asked for one path, again and again, whether readers come or not.
//!
//! One thread for all upstreams, with a runtime of its own: a core that is busy with readers would ask too late, and call a
//! place ill that is well; and it asks before the first reader comes. Its connections are its own, beside those of the pool: who
//! has no connection left for readers may still be well.

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::body::{Outgoing, Source};
use super::connect::Link;
use super::names::Place;
use super::plan::{Check, HostOut, Origin, Plan};
use super::pool::Pool;
use super::{Upstream, fault, head};
use crate::proxy::failure::Failure;

/// What is read of an answer: whoever sends more is well, and is not heard out.
const BODY_MOST_BYTES: usize = 64 << 10;
/// Thousandths of an interval by which a round may come earlier or later, so that several difusores do not ask in step.
const JITTER: u64 = 100;
const AGENT: HeaderValue = HeaderValue::from_static(concat!("difusor/", env!("CARGO_PKG_VERSION"), " (health check)"));

/// All checks, until they are stopped.
pub struct Checks {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Checks {
    /// `None` where nobody is to be checked.
    pub fn start(upstreams: &[Upstream]) -> io::Result<Option<Checks>> {
        let all: Vec<_> = upstreams.iter().filter_map(Checker::of).collect();
        if all.is_empty() {
            return Ok(None);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("health".into()).spawn(move || {
            runtime.block_on(async {
                let mut running = JoinSet::new();
                for checker in all {
                    running.spawn(Arc::new(checker).run());
                }
                // Or nobody is left who could say so.
                let _ = stopped.await;
            });
        })?;
        Ok(Some(Checks { stop, thread }))
    }

    /// Whatever is under way is given up.
    pub fn stop(self) {
        drop(self.stop);
        let _ = self.thread.join();
    }
}

/// One upstream's.
struct Checker {
    plan: Plan,
    check: Check,
    pool: Arc<Pool>,
}

impl Checker {
    fn of(upstream: &Upstream) -> Option<Checker> {
        let check = upstream.plan.health.clone()?;
        Some(Checker { plan: upstream.plan.clone(), check, pool: upstream.pool.clone() })
    }

    async fn run(self: Arc<Self>) {
        let mut known = HashSet::new();
        loop {
            let begun = Instant::now();
            // Without an answer of the DNS, nobody knows whom to ask.
            if let Ok(places) = self.pool.all(begun + self.check.every).await {
                self.round(places, &mut known).await;
            }
            sleep_until(begun + jittered(self.check.every)).await;
        }
    }

    async fn round(self: &Arc<Self>, places: Vec<Place>, known: &mut HashSet<Place>) {
        for gone in known.extract_if(|place| !places.contains(place)) {
            self.pool.teller().gone(gone.address);
        }
        let mut asking = JoinSet::new();
        for place in places {
            if known.insert(place) {
                self.pool.teller().watched(place.address);
            }
            let checker = self.clone();
            asking.spawn(async move { checker.check(place).await });
        }
        while asking.join_next().await.is_some() {}
    }

    async fn check(&self, place: Place) {
        // What takes longer than until the next question is no answer.
        let limit = self.check.every.min(self.plan.connect + self.plan.first_byte);
        let late = || Err(Failure::FirstByteTimeout.name().to_owned());
        match timeout(limit, self.ask(place)).await.unwrap_or_else(|_| late()) {
            Ok(()) => self.pool.checked(place, true, ""),
            Err(why) => self.pool.checked(place, false, &why),
        }
    }

    /// `Err` says what is wrong: the name of a failure, or a status other than 2xx. A redirect is none of those: it says that
    /// something else is asked for than is there.
    async fn ask(&self, place: Place) -> Result<(), String> {
        let response = self.send(place).await.map_err(|failure| failure.name().to_owned())?;
        if !response.status().is_success() {
            return Err(response.status().as_str().to_owned());
        }
        let (mut body, mut read) = (response.into_body(), 0);
        while read < BODY_MOST_BYTES
            && let Some(frame) = poll_fn(|cx| body.poll(None, cx)).await
        {
            let frame = frame.map_err(|failure| failure.name().to_owned())?;
            read += frame.data_ref().map_or(0, Bytes::len);
        }
        Ok(())
    }

    async fn send(&self, place: Place) -> Result<Response<Source>, Failure> {
        let mut request = self.request(&self.plan.origins[place.origin])?;
        match self.pool.dial(place).await? {
            // Nobody has asked for one.
            Link::Own(_) => Err(Failure::Reset),
            Link::Single(mut single) => {
                head::for_http1(&mut request)?;
                head::for_one(&mut request);
                let response = single.sender.send_request(request).await.map_err(|error| fault::of(&error))?;
                Ok(response.map(Source::General))
            }
            Link::Many(mut many) => {
                head::for_http2(&mut request, self.pool.is_secure())?;
                let response = many.ask(request, None, self.plan.idle).await.map_err(|lost| lost.failure)?;
                Ok(response.map(Source::Stream))
            }
        }
    }

    fn request(&self, origin: &Origin) -> Result<Request<Outgoing>, Failure> {
        let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
        let mut request = Request::new(Outgoing::new(body).0);
        *request.uri_mut() = self.target(origin).ok_or(Failure::Malformed)?;
        request.headers_mut().insert(USER_AGENT, AGENT);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        Ok(request)
    }

    /// The host that readers' requests name; their own is not known here, so then the origin's.
    fn target(&self, origin: &Origin) -> Option<Uri> {
        let scheme = if self.pool.is_secure() { Scheme::HTTPS } else { Scheme::HTTP };
        let authority = match &self.plan.host {
            HostOut::Named(name) => name.clone(),
            HostOut::Client => {
                let usual = if self.pool.is_secure() { 443 } else { 80 };
                let host = if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.clone() };
                if origin.port == usual { host } else { format!("{host}:{}", origin.port) }
            }
        };
        let authority: Authority = authority.parse().ok()?;
        let path: PathAndQuery = self.check.target.clone();
        Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
    }
}

fn jittered(every: Duration) -> Duration {
    let by = getrandom::u64().unwrap_or(JITTER) % (2 * JITTER + 1);
    every.mul_f64((1000 - JITTER + by) as f64 / 1000.0)
}
