//! What one connection notes for the sweep: the second of its last byte, and what is under way.

use std::future::poll_fn;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use http::StatusCode;

use super::Room;
use crate::base::unacknowledged::unacknowledged;
use crate::http::budget::Place;
use crate::http::patience::Patience;
use crate::http::turned_away::Reason;

/// Once it is time to stop, who has not asked yet has this many seconds: a handshake and a request are under way.
pub const FIRST_REQUEST_LIMIT_S: u32 = 2;
/// Where others find no room, a head or a handshake that has not come whole after this many seconds counts as idle: three
/// round trips of a phone far from its cell fit.
const LATE_S: u32 = 2;
/// And so does who has been silent for this many seconds.
const SILENT_S: u32 = 1;
/// No socket.
pub(super) const NONE: RawFd = -1;

/// What a connection notes for the sweep.
pub struct Seat {
    pub(super) room: Arc<Room>,
    /// Tick of the last byte in or out.
    moved: AtomicU32,
    /// Tick of the last request, and of the last that was under way for one.
    served: AtomicU32,
    /// Tick + 1 of the first byte that no answered request accounts for; 0 while there is none.
    asking: AtomicU32,
    /// Something of a head has come since it is waited for.
    has_begun: AtomicBool,
    /// What is under way and lasts: bytes that come meanwhile belong to it, or to a request that is not looked at yet.
    held: AtomicU32,
    /// Bodies that wait until their client has room for more of them (RFC 9113, 5.2).
    owed: AtomicU32,
    /// Requests' bodies of which more is waited for.
    pub(super) expected: AtomicU32,
    /// Bytes on the wire, in and out.
    pub(super) came: AtomicU64,
    went: AtomicU64,
    /// The socket, for as long as it is open.
    pub(super) socket: AtomicI32,
    /// What is written waits for room in the socket.
    is_blocked: AtomicBool,
    /// There is nothing yet but a handshake.
    shakes_hands: AtomicBool,
    /// A whole request has come.
    has_asked: AtomicBool,
    /// What is asked next has been counted as a request of its client's.
    is_judged: AtomicBool,
    /// An answer has said that it is the last.
    has_said_close: AtomicBool,
    /// HTTP/2 frames come without being a request's head: who reads them says which are, once there was a request.
    is_multiplexed: AtomicBool,
    /// What still lies in the socket is for nobody.
    pub(super) is_cut: AtomicBool,
    /// Who is told when it is time to stop: the connection's task.
    told: Mutex<Option<Waker>>,
    /// Its place among all that the core may have at once; given back with the seat.
    _place: Option<Place>,
}

/// Why a connection is ended: a reason to be counted, or none where it is nobody's fault.
pub(super) type Over = Option<Reason>;

impl Seat {
    pub(super) fn new(room: &Arc<Room>, place: Option<Place>) -> Seat {
        let now = room.ticks.load(Relaxed);
        room.connections.inc();
        Seat {
            room: room.clone(),
            moved: AtomicU32::new(now),
            served: AtomicU32::new(now),
            asking: AtomicU32::new(now + 1),
            has_begun: AtomicBool::new(false),
            held: AtomicU32::new(0),
            owed: AtomicU32::new(0),
            expected: AtomicU32::new(0),
            came: AtomicU64::new(0),
            went: AtomicU64::new(0),
            socket: AtomicI32::new(NONE),
            is_blocked: AtomicBool::new(false),
            shakes_hands: AtomicBool::new(false),
            has_asked: AtomicBool::new(false),
            is_judged: AtomicBool::new(false),
            has_said_close: AtomicBool::new(false),
            is_multiplexed: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            told: Mutex::new(None),
            _place: place,
        }
    }

    pub(super) fn over(&self, now: u32) -> Option<Over> {
        let Patience { head_s, handshake_s, idle_s, .. } = self.room.patience;
        if let Some(waited) = self.asking_for(now) {
            match self.shakes_hands.load(Relaxed) {
                true if waited > handshake_s => return Some(Some(Reason::Handshake)),
                // While the answer before it has no room, nobody reads: it may have come whole. That has a pace.
                false if waited > head_s && !self.is_blocked.load(Relaxed) => {
                    let has_begun = self.has_begun.load(Relaxed);
                    return Some(Some(if has_begun { Reason::Head } else { Reason::Unused }));
                }
                _ => {}
            }
        }
        // hyper waits in a graceful shutdown for the first request of a silent connection (hyperium/hyper#2730).
        let waited = now.saturating_sub(self.room.drain.began.load(Relaxed));
        let is_silent = self.is_draining() && !self.has_asked() && waited > FIRST_REQUEST_LIMIT_S;
        (is_silent || now - self.moved.load(Relaxed) > idle_s).then_some(None)
    }

    /// Seconds since a head or a handshake began, where one is waited for.
    fn asking_for(&self, now: u32) -> Option<u32> {
        let asking = self.asking.load(Relaxed);
        (asking != 0).then(|| (now + 1).saturating_sub(asking))
    }

    /// Seconds for which its client has been idle; `None` while something is under way.
    pub(super) fn idle(&self, now: u32) -> Option<u32> {
        let is_busy = [&self.held, &self.owed, &self.expected].iter().any(|count| count.load(Relaxed) > 0);
        if is_busy || self.is_blocked.load(Relaxed) {
            return None;
        }
        match self.asking_for(now) {
            Some(waited) => Some(waited).filter(|waited| *waited > LATE_S),
            None => Some(now.saturating_sub(self.last())).filter(|silent| *silent > SILENT_S),
        }
    }

    pub(super) fn waits_to_send(&self) -> bool {
        self.is_blocked.load(Relaxed) || self.owed.load(Relaxed) > 0
    }

    /// Bytes that the client's machine has taken.
    pub(super) fn arrived(&self) -> u64 {
        let left = if self.waits_to_send() { self.unacknowledged() } else { 0 };
        self.went.load(Relaxed) - left
    }

    /// Bytes that were written and that the client's machine has not taken.
    pub(super) fn unacknowledged(&self) -> u64 {
        let socket = self.socket.load(Relaxed);
        let left = if socket == NONE { None } else { unacknowledged(socket) };
        u64::from(left.unwrap_or(0)).min(self.went.load(Relaxed))
    }

    /// True while something that was written is on its way.
    pub fn is_leaving(&self) -> bool {
        self.unacknowledged() > 0
    }

    /// Bytes written.
    pub(super) fn written(&self) -> u64 {
        self.went.load(Relaxed)
    }

    /// Tick of the last sign of somebody who reads; frames alone are none.
    pub(super) fn last(&self) -> u32 {
        if self.is_by_frames() { self.served.load(Relaxed) } else { self.moved.load(Relaxed) }
    }

    /// So many bytes have come.
    pub fn came(&self, bytes: usize) {
        self.moved.store(self.room.ticks.load(Relaxed), Relaxed);
        add(&self.came, bytes);
        if self.held.load(Relaxed) == 0 && !self.is_by_frames() {
            self.asks();
        }
    }

    /// A head has begun, if it had not before.
    pub fn asks(&self) {
        if self.asking.load(Relaxed) == 0 {
            self.asking.store(self.room.ticks.load(Relaxed) + 1, Relaxed);
        }
        self.has_begun.store(true, Relaxed);
    }

    /// What had begun was no request, or has come whole; the first one is still waited for.
    pub fn asks_nothing(&self) {
        self.has_begun.store(false, Relaxed);
        if self.has_asked() {
            self.asking.store(0, Relaxed);
        }
    }

    fn serves(&self) {
        self.served.store(self.room.ticks.load(Relaxed), Relaxed);
    }

    /// So many bytes were written.
    pub fn went(&self, bytes: usize) {
        self.moved.store(self.room.ticks.load(Relaxed), Relaxed);
        add(&self.went, bytes);
        add(&self.room.meter.sent, bytes);
    }

    /// Whether what is to be written waits for room in the socket.
    pub fn is_blocked(&self, is_blocked: bool) {
        if self.is_blocked.load(Relaxed) != is_blocked {
            self.is_blocked.store(is_blocked, Relaxed);
            self.serves();
            if !is_blocked && self.asking.load(Relaxed) != 0 && !self.shakes_hands.load(Relaxed) {
                // From now on it can be read.
                self.asking.store(self.room.ticks.load(Relaxed) + 1, Relaxed);
            }
        }
    }

    /// Something else than requests comes first.
    pub fn shakes_hands(&self) {
        self.shakes_hands.store(true, Relaxed);
    }

    /// From now on a head is waited for.
    pub fn has_shaken_hands(&self) {
        self.asking.store(self.room.ticks.load(Relaxed) + 1, Relaxed);
        self.has_begun.store(false, Relaxed);
        self.shakes_hands.store(false, Relaxed);
    }

    /// A whole request has come.
    pub fn asked(&self) {
        self.asking.store(0, Relaxed);
        self.has_asked.store(true, Relaxed);
        self.serves();
    }

    /// From now on, until what is returned is dropped, no head is waited for; the idle limit holds.
    pub fn hold(self: &Arc<Self>) -> Hold {
        self.held.fetch_add(1, Relaxed);
        Hold(self.clone())
    }

    /// From now on, until what is returned is dropped, a body waits for its client to make room, and the pace is kept.
    pub fn owe(self: &Arc<Self>) -> Owed {
        self.owed.fetch_add(1, Relaxed);
        Owed(self.clone())
    }

    /// Somebody else answers what was judged here.
    pub fn hands_over_judged(&self) {
        self.is_judged.store(true, Relaxed);
    }

    /// Whether what is asked now was judged before; once.
    pub fn takes_judged(&self) -> bool {
        self.is_judged.load(Relaxed) && self.is_judged.swap(false, Relaxed)
    }

    /// True once a whole request has come.
    pub fn has_asked(&self) -> bool {
        self.has_asked.load(Relaxed)
    }

    /// True for HTTP/2.
    pub fn is_by_frames(&self) -> bool {
        self.is_multiplexed.load(Relaxed)
    }

    pub fn is_multiplexed(&self) {
        self.is_multiplexed.store(true, Relaxed);
    }

    pub fn says_close(&self) {
        self.has_said_close.store(true, Relaxed);
    }

    pub fn has_said_close(&self) -> bool {
        self.has_said_close.load(Relaxed)
    }

    pub fn is_draining(&self) -> bool {
        self.room.drain.has_begun.load(SeqCst)
    }

    /// Something of this connection is refused.
    pub fn turned_away(&self, reason: Reason) {
        self.room.turned_away.count(reason);
    }

    /// An answer of ours with this status goes out.
    pub fn answered(&self, status: StatusCode) {
        if let Some(reason) = Reason::of(status) {
            self.turned_away(reason);
        }
    }

    /// Resolves when it is time to stop; at once where it is already. For the connection's task alone: who asks last is told.
    pub async fn drained(&self) {
        poll_fn(|cx| self.poll_drained(cx)).await;
    }

    /// The same, polled.
    pub fn poll_drained(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_draining() {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if !told.as_ref().is_some_and(|told| told.will_wake(cx.waker())) {
                *told = Some(cx.waker().clone());
            }
            // Whoever is here before it begins is told.
            drop(told);
            if !self.is_draining() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// It is time to stop.
    pub(super) fn tell(&self) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).take();
        told.into_iter().for_each(Waker::wake);
    }
}

/// The core's thread alone adds: so nothing is lost without a locked instruction, of which a request would need three.
fn add(count: &AtomicU64, bytes: usize) {
    count.store(count.load(Relaxed) + bytes as u64, Relaxed);
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.connections.dec();
    }
}

/// See [`Seat::hold`].
pub struct Hold(Arc<Seat>);

impl Hold {
    /// A body of the request is waited for, or is no longer.
    pub fn expects(&self, is_awaited: bool) {
        match is_awaited {
            true => self.0.expected.fetch_add(1, Relaxed),
            false => self.0.expected.fetch_sub(1, Relaxed),
        };
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.serves();
        self.0.held.fetch_sub(1, Relaxed);
    }
}

/// See [`Seat::owe`].
pub struct Owed(Arc<Seat>);

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.serves();
        self.0.owed.fetch_sub(1, Relaxed);
    }
}
