//! Bodies on their way, within the limits of time: a request's, watched as it leaves, and a response's, as it arrives.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Sent;
use super::connect::Link;
use super::deadlines::{Deadline, Holds};
use super::fault;
use super::health::Word;
use super::lease::Lease;
use super::many::Arrival;
use super::own::framing::Decoder;
use crate::proxy::failure::Failure;

/// How far a request's body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The client has to send more: its connection has limits of its own.
    Client,
    /// The origin has to take what there is.
    Origin(Instant),
    /// All of it has left.
    Whole(Instant),
    /// The client has not sent all of it, or too much.
    Failed(Failure),
}

/// A request's body on its way out.
pub struct Outgoing {
    body: Sent,
    stage: Option<watch::Sender<Stage>>,
}

impl Outgoing {
    /// With what tells how far it has come.
    pub fn new(body: Sent) -> (Outgoing, watch::Receiver<Stage>) {
        let now = Instant::now();
        let first = if body.is_end_stream() { Stage::Whole(now) } else { Stage::Origin(now) };
        let (sender, receiver) = watch::channel(first);
        let stage = (!body.is_end_stream()).then_some(sender);
        (Outgoing { body, stage }, receiver)
    }

    /// There is more of it, but the origin has to take something first.
    pub fn is_held_up(&self) {
        if let Some(sender) = &self.stage {
            sender.send_if_modified(|stage| {
                let is_new = *stage == Stage::Client;
                if is_new {
                    *stage = Stage::Origin(Instant::now());
                }
                is_new
            });
        }
    }

    /// What came of the client cannot go on.
    pub fn fail(&self, failure: Failure) {
        if let Some(sender) = &self.stage {
            sender.send_replace(Stage::Failed(failure));
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let stage = match &polled {
            Poll::Pending => Stage::Client,
            Poll::Ready(Some(Ok(_))) if !self.body.is_end_stream() => Stage::Origin(Instant::now()),
            Poll::Ready(Some(Ok(_)) | None) => Stage::Whole(Instant::now()),
            Poll::Ready(Some(Err(failure))) => Stage::Failed(*failure),
        };
        if let Some(sender) = &self.stage {
            sender.send_replace(stage);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Where a response's body comes from.
pub enum Source {
    General(Incoming),
    /// A stream of a shared connection.
    Stream(Arrival),
    /// The leased connection.
    Own(Decoder),
}

impl Source {
    fn is_over(&self) -> bool {
        match self {
            Source::General(incoming) => incoming.is_end_stream(),
            Source::Stream(arrival) => arrival.is_end_stream(),
            Source::Own(decoder) => decoder.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Source::General(incoming) => incoming.size_hint(),
            Source::Stream(arrival) => arrival.size_hint(),
            Source::Own(decoder) => decoder.left().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }

    /// The next frame, read from `link` where that is ours.
    pub fn poll(
        &mut self,
        link: Option<&mut Link>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match (self, link) {
            (Source::General(incoming), _) => Pin::new(incoming)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|error| fault::of(&error)))),
            (Source::Stream(arrival), _) => Pin::new(arrival).poll_frame(cx),
            (Source::Own(decoder), Some(Link::Own(own))) => own.poll_frame(decoder, cx),
            (Source::Own(_), _) => Poll::Ready(None),
        }
    }
}

/// What a body holds until it has ended, one way or the other, or has had its time.
struct Held(Mutex<Option<(Source, Lease)>>);

impl Held {
    fn take(&self) -> Option<(Source, Lease)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// `None` where nothing is held any more.
    fn with<T>(&self, look: impl FnOnce(&mut Source, &mut Lease) -> T) -> Option<T> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_mut().map(|(inner, lease)| look(inner, lease))
    }
}

impl Holds for Held {
    fn take_back(&self) {
        drop(self.take());
    }
}

/// A response's body as it arrives.
pub struct Reading {
    held: Arc<Held>,
    /// Takes it back though nobody polls; `None` where all had come with the head.
    _deadline: Option<Deadline>,
    /// What it came from, once all of it has.
    ended: Option<Source>,
    idle: Duration,
    /// When the exchange has to be over.
    total: Instant,
    /// When what is waited for now is too late: only while it is waited for, so that slow readers are nobody's fault.
    late: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    is_over: bool,
    /// How the place answers is still to be told, by how the body ends.
    is_telling: bool,
}

impl Reading {
    pub fn new(inner: Source, lease: Lease, idle: Duration, total: Instant, is_telling: bool) -> Reading {
        let (is_whole, deadlines) = (inner.is_over(), lease.pool.deadlines.clone());
        let held = Arc::new(Held(Mutex::new(Some((inner, lease)))));
        let of_this = Arc::downgrade(&held);
        let deadline = (!is_whole).then(|| deadlines.add(total, of_this));
        let (late, timer, ended) = (None, None, None);
        let mut reading =
            Reading { held, _deadline: deadline, ended, idle, total, late, timer, is_over: false, is_telling };
        if is_whole {
            reading.finish();
        }
        reading
    }

    /// It was read to its end.
    fn finish(&mut self) {
        self.is_over = true;
        if let Some((inner, lease)) = self.held.take() {
            self.ended = Some(inner);
            if self.is_telling {
                lease.tell(Word::Well, "");
            }
            lease.give_back();
        }
    }

    fn fail(&mut self, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.is_over = true;
        if let Some((_, lease)) = self.held.take().filter(|_| self.is_telling)
            // `total` may be over because the client reads slowly.
            && failure != Failure::TotalTimeout
        {
            lease.tell(Word::NoAnswer, failure.name());
        }
        Poll::Ready(Some(Err(failure)))
    }

    /// Ready once it is too late for the next piece.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let (idle, total) = (self.idle, self.total);
        let late = *self.late.get_or_insert_with(|| (Instant::now() + idle).min(total));
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(late)));
        if timer.deadline() != late {
            timer.as_mut().reset(late);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(if late == total { Failure::TotalTimeout } else { Failure::IdleTimeout })
    }
}

impl Body for Reading {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let polled = this.held.with(|inner, lease| (inner.poll(Some(&mut lease.link), cx), inner.is_over()));
        // It was taken back.
        let Some((polled, is_whole)) = polled else { return self.fail(Failure::TotalTimeout) };
        match polled {
            Poll::Pending => {
                let failure = ready!(self.poll_late(cx));
                self.fail(failure)
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.late = None;
                if self.total <= Instant::now() {
                    return self.fail(Failure::TotalTimeout);
                }
                // Whoever knows the length does not ask for more.
                if is_whole {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(failure))) => self.fail(failure),
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.held.with(|inner, _| inner.is_over()).unwrap_or(false)
    }

    fn size_hint(&self) -> SizeHint {
        let ended = self.ended.as_ref().map(Source::size_hint);
        ended.or_else(|| self.held.with(|inner, _| inner.size_hint())).unwrap_or_default()
    }
}
