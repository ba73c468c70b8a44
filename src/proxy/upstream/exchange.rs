//! One request and the head of its response: over which connection, within which limits, and whether once more.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Body;
use hyper::client::conn::TrySendError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::body::{Outgoing, Reading, Source, Stage};
use super::connect::Link;
use super::fault::{self, Lost, Untouched};
use super::health::Word;
use super::lease::{Lease, Want, Way};
use super::own::exchange::Terms;
use super::plan::Times;
use super::pool::Pool;
use super::seats::Whose;
use super::{Arriving, Sent, head};
use crate::proxy::failure::Failure;
use crate::proxy::interim::Hearing;

/// Sends a request, and a second time where the first cannot have done anything. Over by `total`, but for its body.
pub async fn exchange(
    pool: &Arc<Pool>,
    request: Request<Sent>,
    terms: Terms,
    hearing: Option<Hearing>,
) -> Result<Response<Arriving>, Failure> {
    let Terms { times, caller, whose, total } = terms;
    let way = if head::asks_upgrade(&request) { Way::Upgrade } else { Way::Any };
    let whose = if way == Way::Upgrade { Whose::Lasting(caller) } else { whose };
    let mut want = Want { way, own: false, caller, not: None };
    let again = Again::of(&request);
    let seat = pool.seats.take(whose).await?;
    let mut lease = pool.lease(seat, want).await?;
    let (request, stage) = outgoing(request);
    let sending = Sending { times, stage, total, hearing };
    let lost = match sending.once(pool, &mut lease, request).await {
        Ok(response) if !(lease.is_reused && is_late(&response) && again.may_be_repeated()) => {
            return received(times, lease, response, total, way);
        }
        Ok(_) => Lost { failure: Failure::Reset, untouched: Untouched::Perhaps, unsent: None },
        Err(lost) => lost,
    };
    tell(times, &lease, &lost);
    lease.is_over(lost.untouched);
    let request = match (lost.unsent, lost.untouched) {
        (Some(request), _) => Some(*request),
        (None, Untouched::Refused | Untouched::Leaving) => again.copy.map(|copy| outgoing(copy).0),
        // On a new connection it would end the same way, but for another place.
        (None, Untouched::Perhaps) if lease.is_reused || pool.has_several() => again.repeated(),
        (None, Untouched::Perhaps | Untouched::No) => None,
    };
    let request = request.ok_or(lost.failure)?;
    want.not = Some(lease.place);
    let seat = lease.into_seat().ok_or(lost.failure)?;
    want.way = if way == Way::Any { Way::Fresh } else { way };
    let mut lease = pool.lease(seat, want).await?;
    match sending.once(pool, &mut lease, request).await {
        Ok(response) => received(times, lease, response, total, way),
        Err(lost) => {
            tell(times, &lease, &lost);
            Err(lost.failure)
        }
    }
}

/// The origin waited for a request, and had given up when ours came (RFC 9110, 15.5.9).
pub fn is_late<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::REQUEST_TIMEOUT
}

/// What that says of the place: nothing, where it is the client's fault, or where a connection has ended as they do.
pub fn tell(times: Times, lease: &Lease, lost: &Lost) {
    let is_usual = match lost.untouched {
        Untouched::Refused | Untouched::Leaving => true,
        Untouched::Perhaps => lease.is_reused,
        Untouched::No => false,
    };
    let is_its_fault = match lost.failure {
        Failure::FirstByteTimeout
        | Failure::IdleTimeout
        | Failure::Reset
        | Failure::Malformed
        | Failure::HeadTooLarge => true,
        // Not where most of the time was gone before.
        Failure::TotalTimeout => lease.since + times.total / 2 <= Instant::now(),
        _ => false,
    };
    if is_its_fault && !is_usual && lost.unsent.is_none() {
        lease.tell(Word::NoAnswer, lost.failure.name());
    }
}

/// What holds for both tries.
struct Sending {
    times: Times,
    stage: watch::Receiver<Stage>,
    total: Instant,
    hearing: Option<Hearing>,
}

impl Sending {
    async fn once(
        &self,
        pool: &Pool,
        lease: &mut Lease,
        mut request: Request<Outgoing>,
    ) -> Result<Response<Source>, Lost> {
        let lost = match &mut lease.link {
            // It was not asked for.
            Link::Own(_) => return Err(Failure::Reset.into()),
            Link::Single(single) => {
                head::for_http1(&mut request)?;
                if pool.is_for_one() {
                    head::for_one(&mut request);
                }
                if let Some(hearing) = self.hearing.clone() {
                    hyper::ext::on_informational(&mut request, move |told| {
                        hearing.tell(told.status(), told.version(), told.headers());
                    });
                }
                single.heard.forget();
                match self.answer(single.sender.try_send_request(request)).await? {
                    Ok(response) => return Ok(response.map(Source::General)),
                    Err(error) => lost(error, single.heard.anything()),
                }
            }
            Link::Many(many) => {
                head::for_http2(&mut request, pool.is_secure())?;
                match self.answer(many.ask(request, self.hearing.as_ref(), self.times.idle)).await? {
                    Ok(response) => return Ok(response.map(Source::Stream)),
                    Err(lost) => lost,
                }
            }
        };
        // What the client has done to it says more than how it ended.
        match *self.stage.borrow() {
            Stage::Failed(failure) => Err(failure.into()),
            _ => Err(lost),
        }
    }

    /// Waits for a head, for as long as it may take.
    async fn answer<T>(&self, answer: impl Future<Output = T>) -> Result<T, Failure> {
        let mut stage = self.stage.clone();
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
            let late = match at {
                // `total` is a limit all the same, of which nobody is told here.
                Stage::Client => None,
                Stage::Origin(since) => Some((since + self.times.idle, Failure::IdleTimeout)),
                Stage::Whole(since) => Some((since + self.times.first_byte, Failure::FirstByteTimeout)),
                Stage::Failed(failure) => return Err(failure),
            };
            let late = late.map(
                |(late, failure)| if self.total < late { (self.total, Failure::TotalTimeout) } else { (late, failure) },
            );
            let (late, failure) = late.unzip();
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
                () = sleep_until(late.unwrap_or_else(Instant::now)), if late.is_some() => {
                    return Err(failure.unwrap_or(Failure::TotalTimeout));
                }
            }
        }
    }
}

fn lost(mut error: TrySendError<Request<Outgoing>>, has_heard: bool) -> Lost {
    let unsent = error.take_message().map(Box::new);
    let error = error.into_error();
    let untouched = if error.is_user() || has_heard { Untouched::No } else { Untouched::Perhaps };
    Lost { failure: fault::of(&error), untouched, unsent }
}

fn received(
    times: Times,
    lease: Lease,
    response: Response<Source>,
    total: Instant,
    way: Way,
) -> Result<Response<Arriving>, Failure> {
    let status = response.status();
    // Nobody asked for another protocol, or HTTP/2 has no such status.
    if status == StatusCode::SWITCHING_PROTOCOLS && way != Way::Upgrade {
        lease.tell(Word::NoAnswer, Failure::Malformed.name());
        return Err(Failure::Malformed);
    }
    if !is_framed_once(&response) {
        lease.tell(Word::NoAnswer, Failure::Malformed.name());
        return Err(Failure::Malformed);
    }
    Ok(arriving(times, lease, response, total))
}

/// The response as it goes on, whoever has read its head.
pub fn arriving(times: Times, lease: Lease, response: Response<Source>, total: Instant) -> Response<Arriving> {
    let status = response.status();
    // What else there is to say is said at the end of the body.
    let is_failure = matches!(status.as_u16(), 500 | 502..=504);
    if is_failure {
        lease.tell(Word::Failure, status.as_str());
    }
    response.map(|body| Reading::new(body, lease, times.idle, total, !is_failure).boxed_unsync())
}

/// True where the end of a body is told in one way, and by a coding that hyper takes off (RFC 9112, 6.3): with two of them, the next
/// who reads it might find another end.
fn is_framed_once<B>(response: &Response<B>) -> bool {
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

/// What a second try would send.
struct Again {
    /// Of what has no body.
    copy: Option<Request<Sent>>,
    /// It changes nothing, or the same however often (RFC 9110, 9.2.2).
    is_repeatable: bool,
}

impl Again {
    fn of(request: &Request<Sent>) -> Again {
        let repeatable = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE];
        let copy = request.body().is_end_stream().then(|| {
            let mut copy = Request::new(Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync());
            *copy.method_mut() = request.method().clone();
            *copy.uri_mut() = request.uri().clone();
            *copy.headers_mut() = request.headers().clone();
            copy
        });
        Again { copy, is_repeatable: repeatable.contains(request.method()) }
    }

    fn may_be_repeated(&self) -> bool {
        self.is_repeatable && self.copy.is_some()
    }

    /// For where the first may have been read.
    fn repeated(self) -> Option<Request<Outgoing>> {
        self.copy.filter(|_| self.is_repeatable).map(|copy| outgoing(copy).0)
    }
}
