//! A response as it comes from an origin: judged, told to all who wait, read, and stored, whole or in part.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, VIA};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;

use super::failure::Failure;
use super::fetch::{About, Begun, Errand, is_failure};
use super::flight::{How, Landed, Shared};
use super::freshness::{self, Kept};
use super::growing::Growing;
use super::partial::Partial;
use super::reuse::{self, Reuse};
use super::storable::Refused;
use super::store::{Refusal, Refused as Noted, Stored};
use super::upstream::Arriving;
use super::vary::{self, Vary};
use super::{cut, hops, request, storable, update};

/// Seconds that answers which nobody can share are remembered as such.
const ALONE_S: u64 = 10;
/// And ones in which an origin says that the request is wrong.
const BLAMED_S: u64 = 2;
/// How often the origin is asked for the rest of one body. One that breaks off more often is kept for who comes next.
const RESUMED_MOST: usize = 2;
/// So long a body that nobody can keep waits for those who were told of it and have not begun to read: a turn of their threads, but
/// for who takes nothing from us, and he keeps no connection to the origin.
const BOARDING: Duration = Duration::from_secs(5);

/// A response that may be shared, before its body comes.
#[derive(Clone)]
pub(super) struct Head {
    status: StatusCode,
    fields: HeaderMap,
    kept: Kept,
    vary: Vary,
    selects: Vec<u8>,
    /// What the origin has said, which may have been about a part.
    answered: StatusCode,
    /// For the one who asked alone.
    private: HeaderMap,
}

impl Head {
    fn with(self, body: Bytes) -> Stored {
        Stored::new(self.status, self.fields, body, self.kept, self.vary, self.selects)
    }
}

impl Errand {
    pub(super) async fn came(self, response: Response<Arriving>, begun: Begun) {
        let is_blamed = storable::is_blamed(response.status());
        if !is_failure(response.status()) && !is_blamed {
            // If anything was, this is newer.
            self.corridor.store().forget_part(&self.key);
        }
        let Ok(mut fields) = update::stored(response.headers()) else { return self.failed(Failure::Malformed) };
        hops::add_via(&mut fields, response.version(), self.corridor.name());
        let (status, most) = (response.status(), self.corridor.object_bytes() as u64);
        let judged = match cut::length(&fields) {
            Some(length) if length > most => self.judge(status, fields, begun).and(Err("too-large")),
            _ => self.judge(status, fields, begun),
        };
        match judged {
            Ok(head) => {
                let head = Head { private: update::private(response.headers()), ..head };
                self.share(head, Bytes::new(), response.into_body(), begun).await;
            }
            Err(why) => {
                // It may be his cookie that makes it so.
                let is_all = self.voice.is_plain && !storable::is_of_client(status);
                let seconds = if is_blamed { BLAMED_S } else { ALONE_S };
                self.refused(Refusal::Alone, seconds, is_all, Landed::Alone(why));
                // Where the one who asked is gone, nobody wants it.
                let upstream = self.corridor.upstream(&self.route);
                let _ = self.own.send(upstream.for_one(response, self.client).ok_or(Failure::Full));
            }
        }
    }

    /// The head of the whole, where a response brings the rest of what is here; `None` too where it says that the whole is
    /// no longer for all.
    pub(super) fn completed(&self, part: &Partial, answered: &Response<Arriving>, begun: Begun) -> Option<Head> {
        let status = answered.status();
        let mut fields = part.completed(answered.headers()).filter(|_| status == StatusCode::PARTIAL_CONTENT)?;
        if answered.headers().contains_key(VIA) {
            hops::add_via(&mut fields, answered.version(), self.corridor.name());
        }
        let head = self.judge(StatusCode::OK, fields, begun).ok()?;
        Some(Head { answered: status, ..head })
    }

    /// Whether all may have it, or why not.
    fn judge(&self, status: StatusCode, mut fields: HeaderMap, begun: Begun) -> Result<Head, &'static str> {
        let (now, negative, asked) = (self.corridor.now(), self.negative(status), &self.asked);
        freshness::date(&mut fields, now);
        vary::complete(&mut fields);
        let kept = Kept::of(status, &fields, begun.at, now, negative);
        let vary = Vary::read(&fields);
        storable::judge(&Method::GET, asked, status, &fields, negative.is_some()).map_err(Refused::name)?;
        // Without a lifetime of its own, and nothing to validate it by, it was made for the one who asked.
        let is_for_all =
            freshness::is_explicit(&fields, &kept.directives) || kept.lifetime > 0 || kept.directives.public;
        if !is_for_all {
            return Err(Refused::Unmarked.name());
        }
        let selects = vary.key(asked).ok_or(Refused::VaryStar.name())?;
        Ok(Head { status, fields, kept, vary, selects, answered: status, private: HeaderMap::new() })
    }

    /// Tells all of an answer while its body comes, after what is here of it already, and stores it.
    pub(super) async fn share(self, head: Head, first: Bytes, rest: Arriving, begun: Begun) {
        if self.corridor.room().is_over() {
            return match self.stale(begun) {
                Some(stale) => self.tell_stale(stale, How::DespiteFailure(Some(Failure::Crowd), None), true),
                None => self.failed(Failure::Crowd),
            };
        }
        let body = Growing::new(self.corridor.object_bytes(), cut::length(&head.fields), self.corridor.room());
        if !first.is_empty() {
            body.push(first);
        }
        self.tell(&head, &body);
        let read = self.read_all(&head, rest, &body, begun).await;
        if let Some(here) = body.whole() {
            self.keep(head, here, read, begun);
        }
        if read.is_err() {
            // What is not whole is nobody's any more who comes only now.
            self.lead.close();
        }
        // After it is stored, so that whoever has read the end finds it there.
        body.end(read);
    }

    fn tell(&self, head: &Head, body: &Growing) {
        let Head { status, fields, kept, vary, selects, answered, private } = head.clone();
        let (none, now) = (request::Directives::default(), self.corridor.now());
        let decided = reuse::decide(&kept, &none, self.corridor.contract(&self.route), now);
        let shared = Shared { status, answered, fields, private, vary, selects, kept, body: body.clone() };
        self.lead.tell(Landed::Shared(Arc::new(shared)));
        if matches!(decided, Reuse::Validate(_)) {
            // Only who had asked before it came shares it.
            self.lead.close();
        }
    }

    /// Reads a body to its end, for all who read along. Where it breaks off, the origin is asked at once for the rest, which
    /// goes on where it ended: nobody who reads sees it.
    async fn read_all(&self, head: &Head, mut rest: Arriving, body: &Growing, begun: Begun) -> Result<(), Failure> {
        let mut is_pieced = head.answered == StatusCode::PARTIAL_CONTENT;
        let mut tries = RESUMED_MOST;
        loop {
            let failure = match self.read(rest, body).await {
                Ok(()) if !is_pieced || body.is_as_long_as_told() => return Ok(()),
                // The rest was shorter than it was said to be.
                Ok(()) => Failure::Malformed,
                Err(failure) => failure,
            };
            if failure == Failure::RequestAborted {
                // Nobody reads it any more: that is no fault of the origin's.
                return Err(failure);
            }
            self.corridor.tally(&self.route).failed(&self.corridor.upstream(&self.route).plan().name, failure);
            if tries == 0 || !matches!(failure, Failure::Reset | Failure::IdleTimeout) {
                return Err(failure);
            }
            tries -= 1;
            rest = self.rest(head, body, begun).await.ok_or(failure)?;
            is_pieced = true;
        }
    }

    /// What follows what has come, where the origin still has the same body.
    async fn rest(&self, head: &Head, body: &Growing, begun: Begun) -> Option<Arriving> {
        let part = Arc::new(Partial::of(head.clone().with(body.whole()?), cut::length(&head.fields))?);
        let response = self.send(&About::Rest(part.clone())).await.ok()?;
        self.completed(&part, &response, begun)?;
        Some(response.into_body())
    }

    /// Stores what has come: the whole, or a part that may be completed.
    fn keep(&self, mut head: Head, here: Bytes, read: Result<(), Failure>, begun: Begun) {
        match read {
            Ok(()) => {
                // RFC 9110, 8.6: 204 has none.
                if head.status != StatusCode::NO_CONTENT {
                    head.fields.insert(CONTENT_LENGTH, here.len().into());
                }
                self.put(Arc::new(head.with(here)), begun);
            }
            // It was not what it seemed to be.
            Err(Failure::Malformed) => self.corridor.store().forget_part(&self.key),
            Err(_) if self.lead.is_old() => {}
            Err(_) => {
                let length = cut::length(&head.fields);
                if let Some(part) = Partial::of(head.with(here), length) {
                    self.corridor.store().keep_part(&self.key, part, begun.purges);
                }
            }
        }
    }

    /// Stores it, unless its address was written to meanwhile.
    pub(super) fn put(&self, stored: Arc<Stored>, begun: Begun) {
        if self.lead.is_old() {
            return;
        }
        self.corridor.store().put(&self.key, stored.clone(), begun.purges);
        self.corridor.press(&self.route, &self.key, &stored);
        // Once more: whoever writes later finds it stored.
        if self.lead.is_old() {
            self.corridor.store().told(&self.key, &self.asked, Stored::old);
        }
    }

    /// Reads a body to its end, for all who read along.
    async fn read(&self, mut arriving: Arriving, body: &Growing) -> Result<(), Failure> {
        let mut is_kept = true;
        while let Some(frame) = arriving.frame().await {
            let Ok(piece) = frame?.into_data() else { continue };
            if !body.expects(piece.len()) {
                return Err(Failure::Malformed);
            }
            if !body.push(piece) && std::mem::replace(&mut is_kept, false) {
                // Longer than may be stored, and it did not say so before.
                let until = self.corridor.now() + ALONE_S;
                let one = Noted { voice: self.voice, refusal: Refusal::Alone, until };
                self.corridor.store().refuse(&self.key, one, self.voice.is_plain);
                self.lead.close();
                // Whoever reads only now would find nothing, or not its beginning.
                let _ = tokio::time::timeout(BOARDING, self.lead.is_heard()).await;
            }
            body.wanted().await?;
        }
        Ok(())
    }
}
