//! A request of the plain kind over a connection that lies ready, driven by the task that answers the client: what comes is read
//! into the driver's own room. What its first bytes say something uncommon of goes on by [`exchange`](super::exchange).

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Response;
use tokio::time::{Instant, timeout_at};

use super::super::Arriving;
use super::super::connect::Link;
use super::super::health::Word;
use super::super::lease::{Lease, Want, Way};
use super::super::pool::Pool;
use super::exchange::{Asking, Terms, asked, concluded, outcome};
use super::wire::Own;
use crate::proxy::failure::Failure;
use crate::proxy::interim::Hearing;

/// See above.
pub struct Straight {
    asking: Asking,
    terms: Terms,
    /// `None`: none lay ready, and nothing has been sent.
    lease: Option<Lease>,
    /// When it is too late for the first byte of an answer.
    late: Instant,
    /// Bytes of the request that have left, and whether that went well.
    sent: usize,
    is_sent: Option<bool>,
    failed: Option<Failure>,
    /// Bytes of the body that are still to come, and when it is too late for the next of them: only while it is waited for, so
    /// that slow readers are nobody's fault.
    left: u64,
    is_bare: bool,
    idle: Option<Instant>,
}

impl Straight {
    /// Borrows a connection, if one lies ready.
    pub(in crate::proxy::upstream) fn new(pool: &Arc<Pool>, bytes: Vec<u8>, to_head: bool, terms: Terms) -> Straight {
        let want = Want { way: Way::Any, own: true, caller: terms.caller, not: None };
        let mut lease = pool.seats.try_take(terms.whose).and_then(|seat| pool.lend(seat, want).ok());
        if let Some(own) = lease.as_mut().and_then(own) {
            own.begins();
        }
        let (asking, late) = (Asking { bytes, to_head, hearing: None }, Instant::now() + terms.times.first_byte);
        Straight {
            asking,
            terms,
            lease,
            late,
            sent: 0,
            is_sent: None,
            failed: None,
            left: 0,
            is_bare: false,
            idle: None,
        }
    }

    /// The path of its request line.
    pub fn path(&self) -> &str {
        let head = &self.asking.bytes;
        let target = head.iter().position(|byte| *byte == b' ').map_or(&[][..], |at| &head[at + 1..]);
        let length = target.iter().position(|byte| b" ?".contains(byte)).unwrap_or(target.len());
        std::str::from_utf8(&target[..length]).unwrap_or_default()
    }

    pub fn to_head(&self) -> bool {
        self.asking.to_head
    }

    /// Sends the request, and reads what comes first of its answer into `room`: so many bytes. None: it does not go straight on.
    pub fn poll(&mut self, room: &mut [u8], cx: &mut Context<'_>) -> Poll<usize> {
        let Some(own) = self.lease.as_mut().and_then(own) else { return Poll::Ready(0) };
        let read = match self.is_sent {
            None => match own.poll_send(&self.asking.bytes, &mut self.sent, cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(sent) => {
                    // Who did not take all of it may have said why.
                    self.is_sent = Some(sent.is_ok());
                    own.poll_first(room, cx)
                }
            },
            Some(_) => own.poll_first(room, cx),
        };
        match read {
            Poll::Ready(Ok(bytes)) => Poll::Ready(bytes),
            Poll::Ready(Err(failure)) => {
                self.failed = Some(failure);
                Poll::Ready(0)
            }
            Poll::Pending => {
                ready!(own.poll_late(self.late.min(self.terms.total), cx));
                Poll::Ready(0)
            }
        }
    }

    /// Whether all of the request has left: else the connection is not used again.
    pub fn is_sent(&self) -> bool {
        self.is_sent == Some(true)
    }

    /// What was read is the beginning of a good answer, of whose body so many bytes are still to come. `is_bare`: it has none by rule.
    pub fn is_answered(&mut self, left: u64, is_bare: bool) {
        (self.left, self.is_bare) = (left, is_bare);
        if left == 0 {
            self.is_over(true);
        }
    }

    /// The answer has been read to its end; where nothing came behind that, the connection is for whoever comes next.
    fn is_over(&mut self, is_exact: bool) {
        let Some(mut lease) = self.lease.take() else { return };
        if let Link::Own(own) = &mut lease.link
            && is_exact
        {
            own.was_answered(self.is_bare);
        }
        lease.tell(Word::Well, "");
        lease.give_back();
    }

    /// When it has to be over.
    pub fn total(&self) -> Instant {
        self.terms.total
    }

    /// Bytes of the body that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Reads what comes next of the body into `room`: so many bytes of it. What comes behind its end is nobody's.
    pub fn poll_body(&mut self, room: &mut [u8], cx: &mut Context<'_>) -> Poll<Result<usize, Failure>> {
        let Some(own) = self.lease.as_mut().and_then(own) else { return Poll::Ready(Err(Failure::Reset)) };
        let (now, total) = (Instant::now, self.terms.total);
        let read = match own.poll_first(room, cx) {
            Poll::Ready(_) if total <= now() => Err(Failure::TotalTimeout),
            Poll::Ready(read) => read,
            Poll::Pending => {
                let idle = self.terms.times.idle;
                let late = *self.idle.get_or_insert_with(|| (now() + idle).min(total));
                ready!(own.poll_late(late, cx));
                Err(if late == total { Failure::TotalTimeout } else { Failure::IdleTimeout })
            }
        };
        self.idle = None;
        match read {
            Ok(bytes) => {
                let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes);
                self.left -= taken as u64;
                if self.left == 0 {
                    self.is_over(taken == bytes);
                }
                Poll::Ready(Ok(taken))
            }
            Err(failure) => {
                // `total` may be over because the client reads slowly.
                if let Some(lease) = self.lease.take().filter(|_| failure != Failure::TotalTimeout) {
                    lease.tell(Word::NoAnswer, failure.name());
                }
                Poll::Ready(Err(failure))
            }
        }
    }

    /// Goes on as any other, from `read` on, which came first.
    pub fn unread(&mut self, read: &[u8]) {
        if let Some(own) = self.lease.as_mut().and_then(own) {
            own.unread(read);
        }
    }

    /// See [`asked`].
    pub(in crate::proxy::upstream) async fn go_on(
        mut self,
        pool: &Arc<Pool>,
        hearing: Option<Hearing>,
    ) -> Result<Response<Arriving>, Failure> {
        self.asking.hearing = hearing;
        let Straight { asking, terms, lease, late, sent, is_sent, failed, .. } = self;
        let Some(mut lease) = lease else { return asked(pool, &asking, terms).await };
        let Link::Own(own) = &mut lease.link else { return Err(Failure::Reset) };
        let answer = async {
            if let Some(failure) = failed {
                return Err(failure);
            }
            let is_sent = match is_sent {
                Some(is_sent) => is_sent,
                None => own.send(asking.bytes.get(sent..).unwrap_or_default()).await.is_ok(),
            };
            own.hear(is_sent, asking.to_head, asking.hearing.as_ref()).await
        };
        let answer = timeout_at(late.min(terms.total), answer).await.ok();
        let answered = outcome(answer, own.heard, late, terms.total);
        concluded(pool, lease, answered, &asking, terms).await
    }
}

/// The pool lends what was asked for.
fn own(lease: &mut Lease) -> Option<&mut Own> {
    match &mut lease.link {
        Link::Own(own) => Some(own),
        Link::Single(_) | Link::Many(_) => None,
    }
}
