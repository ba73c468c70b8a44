//! One request of the plain kind, and the head of its response, by the rules of the general [`exchange`](super::super::exchange).

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::super::body::Source;
use super::super::connect::Link;
use super::super::exchange::{arriving, is_late, tell};
use super::super::fault::{Lost, Untouched};
use super::super::health::Word;
use super::super::lease::{Lease, Want, Way};
use super::super::plan::Times;
use super::super::pool::Pool;
use super::super::preface::Caller;
use super::super::seats::{Seat, Whose};
use super::super::{Arriving, Sent};
use super::framing::Decoder;
use super::request;
use super::response::Head;
use crate::proxy::failure::Failure;
use crate::proxy::interim::Hearing;

/// What is asked, the same each time.
pub struct Asking {
    pub bytes: Vec<u8>,
    pub to_head: bool,
    pub hearing: Option<Hearing>,
}

/// For whom, and within which limits.
#[derive(Clone, Copy)]
pub struct Terms {
    pub times: Times,
    pub caller: Caller,
    pub whose: Whose,
    pub total: Instant,
}

impl Terms {
    pub fn from_now(times: Times, caller: Caller, whose: Whose) -> Terms {
        Terms { times, caller, whose, total: Instant::now() + times.total }
    }
}

/// Sends a request, and a second time where the first may not have been read. Over by `total`, but for its body.
pub async fn exchange(
    pool: &Arc<Pool>,
    request: Request<Sent>,
    terms: Terms,
    hearing: Option<Hearing>,
) -> Result<Response<Arriving>, Failure> {
    let asking = Asking { bytes: request::write(&request)?, to_head: *request.method() == Method::HEAD, hearing };
    drop(request);
    asked(pool, &asking, terms).await
}

/// The same of what is written already.
pub async fn asked(pool: &Arc<Pool>, asking: &Asking, terms: Terms) -> Result<Response<Arriving>, Failure> {
    let want = Want { way: Way::Any, own: true, caller: terms.caller, not: None };
    let mut lease = match pool.seats.try_take(terms.whose).map(|seat| pool.lend(seat, want)) {
        Some(Ok(lease)) => lease,
        Some(Err(seat)) => leased(pool, Some(seat), want, terms).await?,
        None => leased(pool, None, want, terms).await?,
    };
    let answered = once(&mut lease, asking, terms).await;
    concluded(pool, lease, answered, asking, terms).await
}

/// What becomes of a first try.
pub async fn concluded(
    pool: &Arc<Pool>,
    lease: Lease,
    answered: Result<Head, Lost>,
    asking: &Asking,
    terms: Terms,
) -> Result<Response<Arriving>, Failure> {
    let Terms { times, caller, total, .. } = terms;
    let lost = match answered {
        Ok(head) if !(lease.is_reused && is_late(&head.response)) => return received(times, lease, head, total),
        Ok(_) => Lost { failure: Failure::Reset, untouched: Untouched::Perhaps, unsent: None },
        Err(lost) => lost,
    };
    tell(times, &lease, &lost);
    // On a new connection it would end the same way, but for another place.
    let may_be_repeated = lost.untouched == Untouched::Perhaps && (lease.is_reused || pool.has_several());
    let want = Want { way: Way::Fresh, own: true, caller, not: Some(lease.place) };
    let seat = lease.into_seat().filter(|_| may_be_repeated).ok_or(lost.failure)?;
    let mut lease = leased(pool, Some(seat), want, terms).await?;
    match once(&mut lease, asking, terms).await {
        Ok(head) => received(times, lease, head, total),
        Err(lost) => {
            tell(times, &lease, &lost);
            Err(lost.failure)
        }
    }
}

/// Seldom: its room is not part of every request.
async fn leased(pool: &Arc<Pool>, seat: Option<Seat>, want: Want, terms: Terms) -> Result<Lease, Failure> {
    let leased = Box::pin(async {
        let seat = match seat {
            Some(seat) => seat,
            None => pool.seats.take(terms.whose).await?,
        };
        pool.lease(seat, want).await
    });
    timeout_at(terms.total, leased).await.unwrap_or(Err(Failure::TotalTimeout))
}

async fn once(lease: &mut Lease, asking: &Asking, terms: Terms) -> Result<Head, Lost> {
    let late = Instant::now() + terms.times.first_byte;
    // The pool lends what was asked for.
    let Link::Own(own) = &mut lease.link else { return Err(Failure::Reset.into()) };
    let answer =
        timeout_at(late.min(terms.total), own.ask(&asking.bytes, asking.to_head, asking.hearing.as_ref())).await;
    outcome(answer.ok(), own.heard, late, terms.total)
}

/// What a try has come to; `None` where it was too late.
pub fn outcome(
    answer: Option<Result<Head, Failure>>,
    heard: bool,
    late: Instant,
    total: Instant,
) -> Result<Head, Lost> {
    match answer {
        Some(Ok(head)) => Ok(head),
        Some(Err(failure)) => {
            let untouched = if heard { Untouched::No } else { Untouched::Perhaps };
            Err(Lost { failure, untouched, unsent: None })
        }
        None if total <= late => Err(Failure::TotalTimeout.into()),
        None => Err(Failure::FirstByteTimeout.into()),
    }
}

fn received(times: Times, lease: Lease, head: Head, total: Instant) -> Result<Response<Arriving>, Failure> {
    // Nobody asked for another protocol.
    if head.response.status() == StatusCode::SWITCHING_PROTOCOLS {
        lease.tell(Word::NoAnswer, Failure::Malformed.name());
        return Err(Failure::Malformed);
    }
    let response = head.response.map(|()| Source::Own(Decoder::new(head.framing)));
    Ok(arriving(times, lease, response, total))
}
