//! One request and the head of its response: over which connection, within which limits, and whether once more.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::TrySendError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::body::{Outgoing, Reading, Stage};
use super::connect::Link;
use super::fault;
use super::plan::Plan;
use super::pool::{Lease, Pool, Way};
use super::{Arriving, Sent};
use crate::proxy::failure::Failure;

/// Sends a request, and a second time where the first cannot have done anything. Over by `total`, but for its body.
pub async fn exchange(
    plan: &Plan,
    pool: &Arc<Pool>,
    request: Request<Sent>,
    total: Instant,
) -> Result<Response<Arriving>, Failure> {
    let way = if asks_upgrade(&request) { Way::Upgrade } else { Way::Any };
    let again = copy(&request);
    let seat = pool.seat().await?;
    let mut lease = pool.lease(seat, way).await?;
    let (request, stage) = outgoing(request);
    let lost = match once(plan, pool, &mut lease, request, stage.clone()).await {
        Ok(response) => return received(plan, lease, response, total, way),
        Err(lost) => lost,
    };
    let request = match (lost.unsent, again) {
        (Some(request), _) => *request,
        (None, Some(request)) if lost.is_untouched && lease.is_reused => outgoing(request).0,
        _ => return Err(lost.failure),
    };
    let seat = lease.into_seat().ok_or(lost.failure)?;
    let mut lease = pool.lease(seat, if way == Way::Any { Way::Fresh } else { way }).await?;
    match once(plan, pool, &mut lease, request, stage).await {
        Ok(response) => received(plan, lease, response, total, way),
        Err(lost) => Err(lost.failure),
    }
}

/// What became of a request that got no response.
struct Lost {
    failure: Failure,
    /// The origin said nothing: the connection had ended before.
    is_untouched: bool,
    /// Nothing of it has left.
    unsent: Option<Box<Request<Outgoing>>>,
}

impl From<Failure> for Lost {
    fn from(failure: Failure) -> Lost {
        Lost { failure, is_untouched: false, unsent: None }
    }
}

async fn once(
    plan: &Plan,
    pool: &Pool,
    lease: &mut Lease,
    mut request: Request<Outgoing>,
    stage: watch::Receiver<Stage>,
) -> Result<Response<Incoming>, Lost> {
    match &mut lease.link {
        Link::Single(single) => {
            for_http1(&mut request)?;
            single.heard.forget();
            let answer = head(plan, single.sender.try_send_request(request), stage).await?;
            answer.map_err(|error| lost(error, |error| !error.is_user() && !single.heard.anything()))
        }
        Link::Many(many) => {
            for_http2(&mut request, pool.is_secure())?;
            let answer = head(plan, many.try_send_request(request), stage).await?;
            answer.map_err(|error| lost(error, fault::is_untouched))
        }
    }
}

fn lost(mut error: TrySendError<Request<Outgoing>>, is_untouched: impl Fn(&hyper::Error) -> bool) -> Lost {
    let unsent = error.take_message().map(Box::new);
    let error = error.into_error();
    Lost { failure: fault::of(&error), is_untouched: is_untouched(&error), unsent }
}

/// Waits for a head, for as long as it may take.
async fn head<T>(
    plan: &Plan,
    answer: impl Future<Output = T>,
    mut stage: watch::Receiver<Stage>,
) -> Result<T, Failure> {
    let mut answer = std::pin::pin!(answer);
    let mut leaves = true;
    let now = Instant::now();
    // Only now it leaves: to connect has a limit of its own.
    let mut at = match *stage.borrow_and_update() {
        Stage::Whole(_) => Stage::Whole(now),
        Stage::Origin(_) => Stage::Origin(now),
        told => told,
    };
    loop {
        let (late, failure) = match at {
            // `total` is a limit all the same.
            Stage::Client => (None, Failure::RequestAborted),
            Stage::Origin(since) => (Some(since + plan.idle), Failure::IdleTimeout),
            Stage::Whole(since) => (Some(since + plan.first_byte), Failure::FirstByteTimeout),
            Stage::Failed(failure) => return Err(failure),
        };
        tokio::select! {
            biased;
            answer = &mut answer => return Ok(answer),
            changed = stage.changed(), if leaves => {
                let told = *stage.borrow_and_update();
                leaves = changed.is_ok();
                at = match told {
                    _ if leaves => told,
                    Stage::Failed(_) => told,
                    // There was nothing to tell of, or the origin wants no more of it.
                    _ if matches!(at, Stage::Whole(_)) => at,
                    _ => Stage::Whole(Instant::now()),
                };
            }
            () = sleep_until(late.unwrap_or_else(Instant::now)), if late.is_some() => return Err(failure),
        }
    }
}

fn received(
    plan: &Plan,
    lease: Lease,
    response: Response<Incoming>,
    total: Instant,
    way: Way,
) -> Result<Response<Arriving>, Failure> {
    // Nobody asked for another protocol, or HTTP/2 has no such status.
    if response.status() == StatusCode::SWITCHING_PROTOCOLS && way != Way::Upgrade {
        return Err(Failure::Malformed);
    }
    if !is_framed_once(&response) {
        return Err(Failure::Malformed);
    }
    Ok(response.map(|body| Reading::new(body, lease, plan.idle, total).boxed_unsync()))
}

/// True where the end of a body is told in one way, and by a coding that hyper takes off (RFC 9112, 6.3): with two of them, the next
/// who reads it might find another end.
fn is_framed_once(response: &Response<Incoming>) -> bool {
    let all = |name| response.headers().get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    match (&all(TRANSFER_ENCODING)[..], &all(CONTENT_LENGTH)[..]) {
        ([], []) => true,
        ([], [length]) => length.iter().all(u8::is_ascii_digit),
        ([coding], []) => coding.eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

fn outgoing(request: Request<Sent>) -> (Request<Outgoing>, watch::Receiver<Stage>) {
    let (parts, body) = request.into_parts();
    let (body, stage) = Outgoing::new(body);
    (Request::from_parts(parts, body), stage)
}

/// For a second try: of what has no body and changes nothing, or the same however often (RFC 9110, 9.2.2).
fn copy(request: &Request<Sent>) -> Option<Request<Sent>> {
    let repeatable = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE];
    if !request.body().is_end_stream() || !repeatable.contains(request.method()) {
        return None;
    }
    let mut copy = Request::new(Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn asks_upgrade<B>(request: &Request<B>) -> bool {
    let options = request.headers().get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let mut options = options.flat_map(|value| value.split(','));
    request.headers().contains_key(UPGRADE) && options.any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
}

/// Origin form, and the authority in `Host` (RFC 9112, 3.2). Without effect the second time.
fn for_http1(request: &mut Request<Outgoing>) -> Result<(), Failure> {
    *request.version_mut() = Version::HTTP_11;
    // hyper takes the body of a GET for none where its length is not told.
    let is_untold = request.body().size_hint().exact().is_none() && !request.headers().contains_key(CONTENT_LENGTH);
    if is_untold && !request.body().is_end_stream() {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let Some(authority) = request.uri().authority() else { return Ok(()) };
    // Whatever stands before an `@` is for nobody else to know (RFC 9110, 4.2.4).
    let host = HeaderValue::from_str(host(authority)).map_err(|_| Failure::Malformed)?;
    request.headers_mut().insert(HOST, host);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    Ok(())
}

/// All in the pseudo-fields (RFC 9113, 8.3.1). The scheme is what the origin itself hears: some refuse another.
fn for_http2(request: &mut Request<Outgoing>, is_secure: bool) -> Result<(), Failure> {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(TRANSFER_ENCODING);
    let told = request.headers_mut().remove(HOST);
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.authority = match (parts.authority, told) {
        (Some(authority), _) => Some(host(&authority).parse().map_err(|_| Failure::Malformed)?),
        // It was on its way by HTTP/1.1 before.
        (None, Some(told)) => Some(Authority::try_from(told.as_bytes()).map_err(|_| Failure::Malformed)?),
        (None, None) => return Err(Failure::Malformed),
    };
    parts.scheme = Some(if is_secure { Scheme::HTTPS } else { Scheme::HTTP });
    parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Failure::Malformed)?;
    Ok(())
}

fn host(authority: &Authority) -> &str {
    let whole = authority.as_str();
    whole.rsplit_once('@').map_or(whole, |(_, host)| host)
}
