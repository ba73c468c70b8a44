//! One errand to an origin for all who wait: asks, judges, tells, stores.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::request::Parts;
use http::uri::Uri;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use tokio::sync::oneshot;

use super::corridor::Corridor;
use super::failure::Failure;
use super::flight::{How, Landed, Lead, Shared};
use super::freshness::{self, Kept};
use super::growing::Growing;
use super::interim::Early;
use super::key::Key;
use super::partial::Partial;
use super::renew::Said;
use super::reuse::{self, Reuse};
use super::route::Route;
use super::storable::Refused;
use super::store::Stored;
use super::upstream::{Arriving, Sent};
use super::vary::Vary;
use super::{cut, forward, hops, request, storable, update, validate};

/// Seconds that answers which nobody can share are remembered as such.
const ALONE_S: u64 = 10;
/// Seconds that an origin which has failed is left in peace where something stale may be sent, and up to as many more, so
/// that not all keys ask again in the same second.
const SPARED_S: u64 = 2;
/// Seconds, the one that has begun among them, that a failure without an answer counts for all who ask for the same.
const FAILED_S: u64 = 2;

/// What has to be asked.
pub struct Errand {
    pub corridor: Arc<Corridor>,
    pub route: Route,
    pub key: Key,
    /// The head of the request that leads.
    pub asked: Parts,
    pub address: Uri,
    pub client: IpAddr,
    /// What is stored and has to be validated, or may be sent where that fails.
    pub stored: Option<Arc<Stored>>,
    pub lead: Lead,
    /// For what comes before the answer.
    pub early: Option<Early>,
    /// For an answer that only the one who asked may have.
    pub own: oneshot::Sender<Response<Arriving>>,
}

/// What was so before the origin was asked.
#[derive(Clone, Copy)]
struct Begun {
    at: u64,
    purges: u64,
}

/// What the origin is asked about.
enum Asking {
    Anything,
    /// Whether it still holds.
    Stored(Arc<Stored>),
    /// For the rest of it.
    Rest(Arc<Partial>),
}

/// A response that may be shared, before its body comes.
struct Head {
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

impl Errand {
    /// Goes, and tells everybody what came of it.
    pub async fn run(self) {
        let begun = Begun { at: self.corridor.now(), purges: self.corridor.store().purges() };
        let mut asking = self.asking();
        let answered = loop {
            let answered = self.send(&asking).await;
            let status = answered.as_ref().ok().map(Response::status);
            match (answered, std::mem::replace(&mut asking, Asking::Anything), status) {
                (Ok(response), Asking::Stored(stored), Some(StatusCode::NOT_MODIFIED)) => {
                    // One that belongs to nothing stored: asked again without conditions (RFC 9111, 4.3.3).
                    if let Some(renewed) = self.renewed(&stored, &response, begun) {
                        return self.lead.tell(Landed::Stored(renewed, How::Validated));
                    }
                }
                (
                    Ok(response),
                    Asking::Rest(part),
                    Some(StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::NOT_MODIFIED),
                ) => {
                    if let Some(head) = self.completed(&part, &response, begun) {
                        return self.share(head, part.stored.body.clone(), response.into_body(), begun).await;
                    }
                    // Not the rest of what is here: asked for all of it.
                    self.corridor.store().forget_part(&self.key);
                    asking = self.stored.clone().map_or(Asking::Anything, Asking::Stored);
                }
                // Nobody has asked for a part, or whether anything holds.
                (Ok(_), _, Some(StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT)) => {
                    break Err(Failure::Malformed);
                }
                (answered, _, _) => break answered,
            }
        };
        if let Err(failure) = &answered {
            let upstream = &self.corridor.upstream(&self.route).plan().name;
            self.corridor.tally(&self.route).failed(upstream, *failure);
        }
        match answered {
            Ok(response) if is_failure(response.status()) && self.may_be_stale() => {
                self.stale(How::DespiteFailure(None, Some(response.status())));
            }
            Ok(response) => self.came(response, begun).await,
            Err(failure) if self.may_be_stale() => self.stale(How::DespiteFailure(Some(failure), None)),
            Err(failure) => {
                // Else the next of a crowd would ask at once, and the one after.
                self.corridor.store().fail(&self.key, failure, self.corridor.now() + FAILED_S);
                self.failed(failure);
            }
        }
    }

    /// What is not whole is newer than anything that is.
    fn asking(&self) -> Asking {
        match (self.corridor.store().part(&self.key, &self.asked.headers), &self.stored) {
            (Some(part), _) => Asking::Rest(part),
            (None, Some(stored)) => Asking::Stored(stored.clone()),
            (None, None) => Asking::Anything,
        }
    }

    async fn send(&self, asking: &Asking) -> Result<Response<Arriving>, Failure> {
        let upstream = self.corridor.upstream(&self.route);
        let mut fields = forward::fields(&self.asked, &self.route, upstream.plan(), self.client, self.corridor.name())?;
        forward::ask_for_all(&mut fields);
        match asking {
            Asking::Anything => {}
            Asking::Stored(stored) => drop(validate::ask(&mut fields, &stored.fields())),
            Asking::Rest(part) => part.ask(&mut fields),
        }
        let mut request = Request::new(empty());
        // HEAD too: the crowd behind it wants the rest.
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.address.clone();
        *request.headers_mut() = fields;
        if let Some(early) = &self.early {
            early.listen(&mut request, self.corridor.name());
        }
        upstream.send(request).await
    }

    /// What is stored, renewed by a 304 and stored again; `None` where the 304 is about something else (4.3.4).
    fn renewed(&self, stored: &Stored, answered: &Response<Arriving>, begun: Begun) -> Option<Arc<Stored>> {
        let said = Said {
            asked: &self.asked.headers,
            fields: answered.headers(),
            version: answered.version(),
            begun: begun.at,
            now: self.corridor.now(),
            negative: self.negative(stored.status),
            name: self.corridor.name(),
        };
        let renewed = Arc::new(said.by_304(stored)?);
        if said.may_be_stored(&renewed) {
            self.put(renewed.clone(), begun);
        }
        Some(renewed)
    }

    fn may_be_stale(&self) -> bool {
        let said = request::Directives::read(&self.asked.headers);
        self.stored.as_ref().filter(|stored| !stored.outdated).is_some_and(|stored| {
            reuse::on_error(&stored.kept, &said, self.corridor.contract(&self.route), self.corridor.now())
        })
    }

    fn stale(self, how: How) {
        let Some(stored) = self.stored else { return };
        self.corridor.store().spare(&self.key, self.corridor.now() + SPARED_S + self.corridor.jitter(SPARED_S));
        self.lead.tell(Landed::Stored(stored, how));
    }

    fn failed(self, failure: Failure) {
        self.lead.tell(Landed::Failed(failure));
    }

    /// Seconds that the operator gives an answer of which the origin says nothing.
    fn negative(&self, status: StatusCode) -> Option<u32> {
        let is_negative = matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE);
        (is_negative && !self.route.negative.is_zero())
            .then(|| u32::try_from(self.route.negative.as_secs()).unwrap_or(super::SECONDS_MOST))
    }

    async fn came(self, response: Response<Arriving>, begun: Begun) {
        if !is_failure(response.status()) {
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
                self.corridor.store().leave_alone(&self.key, self.corridor.now() + ALONE_S);
                self.lead.tell(Landed::Alone(why));
                // Where the one who asked is gone, nobody wants it.
                let _ = self.own.send(response);
            }
        }
    }

    /// The head of the whole, where a response brings the rest of what is here; `None` too where it says that the whole is
    /// no longer for all.
    fn completed(&self, part: &Partial, answered: &Response<Arriving>, begun: Begun) -> Option<Head> {
        let status = answered.status();
        let fields = part.completed(answered.headers()).filter(|_| status == StatusCode::PARTIAL_CONTENT)?;
        let head = self.judge(StatusCode::OK, fields, begun).ok()?;
        Some(Head { answered: status, ..head })
    }

    /// Whether all may have it, or why not.
    fn judge(&self, status: StatusCode, mut fields: HeaderMap, begun: Begun) -> Result<Head, &'static str> {
        let (now, negative, asked) = (self.corridor.now(), self.negative(status), &self.asked.headers);
        freshness::date(&mut fields, now);
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
    async fn share(self, head: Head, first: Bytes, rest: Arriving, begun: Begun) {
        let Head { status, fields, kept, vary, selects, answered, private } = head;
        let (length, now) = (cut::length(&fields), self.corridor.now());
        let body = Growing::new(self.corridor.object_bytes(), length);
        if !first.is_empty() {
            body.push(first);
        }
        let none = request::Directives::default();
        let decided = reuse::decide(&kept, &none, self.corridor.contract(&self.route), now);
        let (age, left) = (kept.age(now), kept.left(now));
        let (shown, kept_vary) = (fields.clone(), (vary.clone(), selects.clone()));
        let shared = Shared { status, answered, fields: shown, private, vary, selects, age, left, body: body.clone() };
        self.lead.tell(Landed::Shared(Arc::new(shared)));
        if matches!(decided, Reuse::Validate(_)) {
            // Only who had asked before it came shares it.
            self.lead.close();
        }
        let mut read = self.read(rest, &body).await;
        let here = body.whole();
        if let (StatusCode::PARTIAL_CONTENT, Some(here)) = (answered, &here)
            && read.is_ok()
            && length != Some(here.len() as u64)
        {
            // The rest was longer or shorter than it was said to be.
            read = Err(Failure::Malformed);
        }
        if let Err(failure) = read {
            self.corridor.tally(&self.route).failed(&self.corridor.upstream(&self.route).plan().name, failure);
        }
        if let Some(here) = here {
            let mut fields = fields;
            // RFC 9110, 8.6: 204 has none.
            if status != StatusCode::NO_CONTENT && read.is_ok() {
                fields.insert(CONTENT_LENGTH, here.len().into());
            }
            let (vary, selects) = kept_vary;
            let stored = Stored::new(status, fields, here, kept, vary, selects);
            self.keep(stored, read, length, begun);
        }
        // After it is stored, so that whoever has read the end finds it there.
        body.end(read);
    }

    /// Stores what has come: the whole, or a part that may be completed.
    fn keep(&self, stored: Stored, read: Result<(), Failure>, length: Option<u64>, begun: Begun) {
        match read {
            Ok(()) => self.put(Arc::new(stored), begun),
            // It was not what it seemed to be.
            Err(Failure::Malformed) => self.corridor.store().forget_part(&self.key),
            Err(_) if self.lead.is_old() => {}
            Err(_) => {
                if let Some(part) = Partial::of(stored, length) {
                    self.corridor.store().keep_part(&self.key, part, begun.purges);
                }
            }
        }
    }

    /// Stores it, unless its address was written to meanwhile.
    fn put(&self, stored: Arc<Stored>, begun: Begun) {
        if self.lead.is_old() {
            return;
        }
        self.corridor.store().put(&self.key, stored, begun.purges);
        // Once more: whoever writes later finds it stored.
        if self.lead.is_old() {
            let outdate = |one: &Stored| Stored { outdated: true, ..one.clone() };
            self.corridor.store().told(&self.key, &self.asked.headers, outdate);
        }
    }

    /// Reads a body to its end, for all who read along.
    async fn read(&self, mut arriving: Arriving, body: &Growing) -> Result<(), Failure> {
        let mut is_kept = true;
        while let Some(frame) = arriving.frame().await {
            if let Ok(piece) = frame?.into_data()
                && !body.push(piece)
                && std::mem::replace(&mut is_kept, false)
            {
                // Longer than may be stored, and it did not say so before.
                self.corridor.store().leave_alone(&self.key, self.corridor.now() + ALONE_S);
                self.lead.close();
            }
            body.wanted().await?;
        }
        Ok(())
    }
}

/// Answers in whose place something stale may be sent (RFC 5861, 4).
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

pub fn empty() -> Sent {
    Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync()
}
