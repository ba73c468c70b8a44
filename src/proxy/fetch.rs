//! One errand to an origin for all who wait: asks, judges, tells, stores.

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
use super::key::Key;
use super::reuse::{self, Reuse};
use super::route::Route;
use super::storable::Refused;
use super::store::Stored;
use super::upstream::{Arriving, Caller, Sent};
use super::vary::Vary;
use super::{forward, request, storable, update, validate};

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
    pub client: Caller,
    /// What is stored and has to be validated, or may be sent where that fails.
    pub stored: Option<Arc<Stored>>,
    pub lead: Lead,
    /// For an answer that only the one who asked may have.
    pub own: oneshot::Sender<Response<Arriving>>,
}

/// What was so before the origin was asked.
#[derive(Clone, Copy)]
struct Begun {
    at: u64,
    purges: u64,
}

impl Errand {
    /// Goes, and tells everybody what came of it.
    pub async fn run(self) {
        let begun = Begun { at: self.corridor.now(), purges: self.corridor.store().purges() };
        let mut conditional = self.stored.clone();
        let answered = loop {
            let answered = self.send(conditional.as_deref()).await;
            match (answered, conditional.take()) {
                (Ok(response), Some(stored)) if response.status() == StatusCode::NOT_MODIFIED => {
                    // One that belongs to nothing stored: asked again without conditions (RFC 9111, 4.3.3).
                    if let Some(renewed) = self.renewed(&stored, response.headers(), begun) {
                        return self.lead.tell(Landed::Stored(renewed, How::Validated));
                    }
                }
                (answered, _) => break answered,
            }
        };
        if let Err(failure) = &answered {
            let upstream = &self.corridor.upstream(&self.route).plan().name;
            self.corridor.tally(&self.route).failed(upstream, *failure);
        }
        match answered {
            Ok(response) if response.status() == StatusCode::NOT_MODIFIED => self.failed(Failure::Malformed),
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

    async fn send(&self, conditional: Option<&Stored>) -> Result<Response<Arriving>, Failure> {
        let upstream = self.corridor.upstream(&self.route);
        let client = self.client.from.ip();
        let mut fields = forward::fields(&self.asked, &self.route, upstream.plan(), client, self.corridor.name())?;
        forward::ask_for_all(&mut fields);
        if let Some(stored) = conditional {
            validate::ask(&mut fields, &stored.fields());
        }
        let mut request = Request::new(empty());
        // HEAD too: the crowd behind it wants the rest.
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.address.clone();
        *request.headers_mut() = fields;
        upstream.send(request, self.client).await
    }

    /// What is stored, renewed by a 304 and stored again; `None` where the 304 is about something else (4.3.4).
    fn renewed(&self, stored: &Stored, new: &HeaderMap, begun: Begun) -> Option<Arc<Stored>> {
        // Without any validator too: nothing else was asked about.
        let mut fields = stored.fields();
        let is_about_it = update::selected(&[&fields], new) == [0]
            || (validate::etag(new).is_none() && !new.contains_key(http::header::LAST_MODIFIED));
        if !is_about_it {
            return None;
        }
        update::renew(&mut fields, new).ok()?;
        let now = self.corridor.now();
        let kept = Kept::of(stored.status, &fields, begun.at, now, self.negative(stored.status));
        let vary = Vary::read(&fields);
        let selects = vary.key(&self.asked.headers)?;
        let is_kept = storable::judge(&Method::GET, &self.asked.headers, stored.status, &fields, false).is_ok();
        let renewed = Arc::new(stored.renewed(fields, &kept, vary, selects));
        if is_kept {
            self.corridor.store().put(&self.key, renewed.clone(), begun.purges);
        }
        Some(renewed)
    }

    fn may_be_stale(&self) -> bool {
        let said = request::Directives::read(&self.asked.headers);
        self.stored.as_ref().filter(|stored| !stored.outdated).is_some_and(|stored| {
            reuse::on_error(&stored.kept(), &said, self.corridor.contract(&self.route), self.corridor.now())
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
        let Ok(fields) = update::stored(response.headers()) else { return self.failed(Failure::Malformed) };
        let (status, now) = (response.status(), self.corridor.now());
        let negative = self.negative(status);
        let kept = Kept::of(status, &fields, begun.at, now, negative);
        let vary = Vary::read(&fields);
        let length = fields.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let most = self.corridor.object_bytes();
        let judged = storable::judge(&Method::GET, &self.asked.headers, status, response.headers(), negative.is_some());
        // Without a lifetime of its own, and nothing to validate it by, it was made for the one who asked.
        let is_for_all =
            freshness::is_explicit(&fields, &kept.directives) || kept.lifetime > 0 || kept.directives.public;
        let why_not = match judged {
            Err(refused) => Some(refused.name()),
            Ok(()) if !is_for_all => Some(Refused::Unmarked.name()),
            Ok(()) => length.filter(|length| *length > most as u64).map(|_| "too-large"),
        };
        let selects = vary.key(&self.asked.headers).ok_or(Refused::VaryStar.name());
        let selects = why_not.map_or(selects, Err);
        let selects = match selects {
            Ok(selects) => selects,
            Err(why) => {
                self.corridor.store().leave_alone(&self.key, now + ALONE_S);
                self.lead.tell(Landed::Alone(why));
                // Where the one who asked is gone, nobody wants it.
                let _ = self.own.send(response);
                return;
            }
        };
        let body = Growing::new(most, length);
        let none = request::Directives::default();
        let decided = reuse::decide(&kept, &none, self.corridor.contract(&self.route), now);
        let (age, left) = (kept.age(now), kept.left(now));
        let (shown, kept_vary) = (fields.clone(), (vary.clone(), selects.clone()));
        let shared = Shared { status, fields: shown, vary, selects, age, left, body: body.clone() };
        self.lead.tell(Landed::Shared(Arc::new(shared)));
        if matches!(decided, Reuse::Validate(_)) {
            // Only who had asked before it came shares it.
            self.lead.close();
        }
        let read = self.read(response.into_body(), &body).await;
        if let Err(failure) = read {
            self.corridor.tally(&self.route).failed(&self.corridor.upstream(&self.route).plan().name, failure);
        }
        if let (Ok(()), Some(whole)) = (read, body.whole()) {
            let mut fields = fields;
            // RFC 9110, 8.6: 204 has none.
            if status != StatusCode::NO_CONTENT {
                fields.insert(CONTENT_LENGTH, whole.len().into());
            }
            let (vary, selects) = kept_vary;
            let stored = Arc::new(Stored::new(status, fields, whole, &kept, vary, selects));
            self.corridor.store().put(&self.key, stored.clone(), begun.purges);
            self.corridor.press(&self.route, &self.key, &stored);
        }
        // After it is stored, so that whoever has read the end finds it there.
        body.end(read);
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
