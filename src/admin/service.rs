//! One request of the operators' side: who asks, for what, and who does it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::answer::{answer, json, refuse};
use super::crowd::Crowd;
use super::problem::Problem;
use super::receive::linger;
use super::route::{Door, What, route};
use super::staging::Staging;
use super::tokens::Tokens;
use super::who::{Shows, Who, enter};
use super::{act, purge, upload};
use crate::base::clock::Clock;
use crate::base::disk::Disk;
use crate::http::Body;
use crate::proxy::corridor::Corridor;
use crate::record::incidents::note;
use crate::record::{Journal, Metrics};
use crate::snapshot::Live;

/// What all connections share.
pub struct Shared {
    pub desk: Arc<dyn super::Desk>,
    pub live: Arc<Live>,
    pub journal: Arc<Journal>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub disk: Disk,
    pub corridor: Option<Arc<Corridor>>,
    pub state: std::path::PathBuf,
    pub staging: Staging,
    pub tokens: Option<Tokens>,
    pub package_bytes: u64,
    pub uploads: Arc<Semaphore>,
    /// Who sends packages now.
    pub senders: Arc<Crowd<Who>>,
    pub started: Timestamp,
    /// Turns true when it is time to stop.
    pub stop: watch::Receiver<bool>,
}

impl Shared {
    /// Does what may wait on a thread that may.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        tokio::task::spawn_blocking(work).await.map_err(|error| Problem::OurFault(error.to_string()))
    }
}

/// A body that knows whether anybody has asked for it.
struct Read<B> {
    body: B,
    has_begun: bool,
}

impl<B: http_body::Body + Unpin> http_body::Body for Read<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<B::Data>, B::Error>>> {
        self.has_begun = true;
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Answers a request; never fails.
pub async fn serve<B>(shared: Arc<Shared>, door: Door, shows: Shows, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
{
    let (head, body) = request.into_parts();
    let mut body = Read { body, has_begun: false };
    match respond(&shared, door, shows, &head, &mut body).await {
        Ok(response) => response,
        Err(problem) => {
            // Whoever asks first, and was not told to go on, sends nothing, and waits for the end.
            let is_coming = body.has_begun || !head.headers.contains_key(EXPECT);
            if is_coming && !http_body::Body::is_end_stream(&body) {
                tokio::spawn(linger(body, shared.stop.clone()));
            }
            refuse(&problem)
        }
    }
}

async fn respond<B>(
    shared: &Arc<Shared>,
    door: Door,
    shows: Shows,
    head: &http::request::Parts,
    body: &mut B,
) -> Result<Response<Body>, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let (asked, fields, path) = (shared.clone(), head.headers.clone(), head.uri.path().to_owned());
    let who = shared.blocking(move || entered(&asked, &shows, &fields, &path)).await??;
    match route(&head.method, head.uri.path(), door)? {
        What::Upload(name) => upload::upload(shared, name, &who, &head.headers, body).await,
        What::Notify => {
            shared.desk.notify();
            Ok(answer(StatusCode::ACCEPTED, "application/json", "{}"))
        }
        What::Metrics => measured(shared).await,
        What::State => {
            let asked = shared.clone();
            Ok(json(StatusCode::OK, &shared.blocking(move || act::state(&asked)).await?))
        }
        What::Purge => purge::purge(shared, purge::read(&act::small(body).await?)?, &who).await,
        what @ (What::Rollback | What::Hold | What::Release | What::Final | What::Resume) => {
            let wish = act::wish(&what, &act::small(body).await?)?;
            act::act(shared, wish, &who).await
        }
    }
}

/// Lets somebody in, or writes down that he was not.
fn entered(shared: &Shared, shows: &Shows, fields: &http::HeaderMap, path: &str) -> Result<Who, Problem> {
    let entered = enter(shared, shows, fields);
    if let Err(problem) = &entered {
        shared.journal.note(&note("A011", &format!("{path}: {}", problem.detail())).source("https"));
    }
    entered
}

async fn measured(shared: &Arc<Shared>) -> Result<Response<Body>, Problem> {
    let asked = shared.clone();
    let text = shared.blocking(move || {
        // A disk that does not answer leaves the last figure.
        if let Ok(space) = asked.disk.space(&asked.state) {
            asked.metrics.disk_free(space.free);
        }
        asked.metrics.text()
    });
    Ok(answer(StatusCode::OK, Metrics::MEDIA_TYPE, text.await?))
}
