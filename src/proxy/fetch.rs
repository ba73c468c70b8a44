//! One errand to an origin for all who wait: what it asks, and who hears of what it comes to. A response that comes is
//! [`come`](super::come)'s.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::Uri;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use tokio::sync::oneshot;

use super::corridor::Corridor;
use super::failure::Failure;
use super::flight::{How, Landed, Lead};
use super::interim::Early;
use super::key::Key;
use super::partial::Partial;
use super::renew::Said;
use super::reuse;
use super::route::Route;
use super::store::{Era, Refusal, Refused, Stored};
use super::upstream::{Arriving, Caller, Sent};
use super::voice::Voice;
use super::{request, validate};

/// Seconds that an origin which has failed is left in peace where something stale may be sent, and up to as many more, so
/// that not all keys ask again in the same second.
const SPARED_S: u64 = 2;
/// Seconds, the one that has begun among them, that a failure without an answer counts for all who ask for the same.
const FAILED_S: u64 = 2;

/// What only the one who asked may have, or why he may not either.
pub type Own = Result<Response<Arriving>, Failure>;

/// What has to be asked.
pub struct Errand {
    pub corridor: Arc<Corridor>,
    pub route: Arc<Route>,
    pub key: Key,
    /// The fields of the request that leads, as the origin hears them of it and of all who ask alike.
    pub asked: HeaderMap,
    pub voice: Voice,
    pub address: Uri,
    pub client: Caller,
    /// What is stored and has to be validated, or may be sent where that fails.
    pub stored: Option<Arc<Stored>>,
    pub lead: Lead,
    /// For what comes before the answer.
    pub early: Option<Early>,
    /// For an answer that only the one who asked may have.
    pub own: oneshot::Sender<Own>,
}

/// What was so before the origin was asked.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    pub(super) at: u64,
    pub(super) purges: u64,
    era: Era,
}

/// What the origin is asked about.
pub(super) enum About {
    Anything,
    /// Whether it still holds.
    Stored(Arc<Stored>),
    /// For the rest of it.
    Rest(Arc<Partial>),
}

impl Errand {
    /// Goes, and tells everybody what came of it.
    pub async fn run(mut self) {
        let (store, at) = (self.corridor.store(), self.corridor.now());
        let begun = Begun { at, purges: store.purges(), era: store.era(&self.key) };
        // It may have been purged, or renewed, since it was found.
        if self.stored.is_some() {
            self.stored = self.corridor.store().find(&self.key, &self.asked).0;
        }
        let mut asking = self.asking();
        let answered = loop {
            let answered = self.send(&asking).await;
            let status = answered.as_ref().ok().map(Response::status);
            match (answered, std::mem::replace(&mut asking, About::Anything), status) {
                (Ok(response), About::Stored(stored), Some(StatusCode::NOT_MODIFIED)) => {
                    // One that belongs to nothing stored, or is for one alone: asked again without conditions (RFC 9111, 4.3.3).
                    if let Some(renewed) = self.renewed(&stored, &response, begun) {
                        return self.lead.tell(Landed::Stored(renewed, How::Validated));
                    }
                }
                (
                    Ok(response),
                    About::Rest(part),
                    Some(StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::NOT_MODIFIED),
                ) => {
                    if let Some(head) = self.completed(&part, &response, begun) {
                        return self.share(head, part.stored.body.clone(), response.into_body(), begun).await;
                    }
                    // Not the rest of what is here: asked for all of it.
                    self.corridor.store().forget_part(&self.key);
                    asking = self.stored.clone().map_or(About::Anything, About::Stored);
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
        let is_good = answered.as_ref().is_ok_and(|response| !is_failure(response.status()));
        let stale = if is_good { None } else { self.stale(begun) };
        match (answered, stale) {
            (Ok(response), Some(stale)) => {
                self.tell_stale(stale, How::DespiteFailure(None, Some(response.status())), false);
            }
            (Ok(response), None) => self.came(response, begun).await,
            (Err(failure), Some(stale)) => {
                let how = How::DespiteFailure(Some(failure), None);
                self.tell_stale(stale, how, !failure.may_be_of_request());
            }
            (Err(failure), None) => self.failed(failure),
        }
    }

    /// What is not whole is newer than anything that is.
    fn asking(&self) -> About {
        match (self.corridor.store().part(&self.key, &self.asked), &self.stored) {
            (Some(part), _) => About::Rest(part),
            (None, Some(stored)) => About::Stored(stored.clone()),
            (None, None) => About::Anything,
        }
    }

    pub(super) async fn send(&self, asking: &About) -> Result<Response<Arriving>, Failure> {
        let upstream = self.corridor.upstream(&self.route);
        let mut fields = self.asked.clone();
        match asking {
            About::Anything => {}
            About::Stored(stored) => drop(validate::ask(&mut fields, &stored.fields())),
            About::Rest(part) => part.ask(&mut fields),
        }
        let mut request = Request::new(empty());
        // HEAD too: the crowd behind it wants the rest.
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.address.clone();
        *request.headers_mut() = fields;
        let hearing = self.early.as_ref().map(|early| early.hearing(self.corridor.shared_name()));
        upstream.send_within(request, self.client, self.corridor.times(&self.route), hearing).await
    }

    /// What is stored, renewed by a 304 and stored again; `None` where the 304 is about something else (4.3.4), or
    /// makes of it what is not for all.
    fn renewed(&self, stored: &Stored, answered: &Response<Arriving>, begun: Begun) -> Option<Arc<Stored>> {
        let said = Said {
            asked: &self.asked,
            fields: answered.headers(),
            version: answered.version(),
            begun: begun.at,
            now: self.corridor.now(),
            negative: self.negative(stored.status),
            name: self.corridor.name(),
        };
        // What was purged meanwhile does not come back without its body.
        if self.corridor.store().purges() != begun.purges {
            return None;
        }
        // What may not be stored any longer is not for those who wait either.
        let renewed = Arc::new(said.by_304(stored).filter(|renewed| said.may_be_stored(renewed))?);
        self.put(renewed.clone(), begun);
        Some(renewed)
    }

    /// What may be sent where the origin fails; what was purged or written to meanwhile is for nobody any more.
    pub(super) fn stale(&self, begun: Begun) -> Option<Arc<Stored>> {
        let (said, store) = (request::Directives::read(&self.asked), self.corridor.store());
        let still = store.still(&self.key, &self.asked, self.stored.as_ref()?, begun.era);
        still.filter(|_| !self.lead.is_old()).filter(|stored| {
            reuse::on_error(&stored.kept(), &said, self.corridor.contract(&self.route), self.corridor.now())
        })
    }

    pub(super) fn tell_stale(self, stored: Arc<Stored>, how: How, is_all: bool) {
        let seconds = SPARED_S + self.corridor.jitter(SPARED_S);
        self.refused(Refusal::Spared, seconds, is_all, Landed::Stored(stored, how));
    }

    /// Noted too: else the next of a crowd would ask at once, and the one after.
    pub(super) fn failed(self, failure: Failure) {
        self.refused(Refusal::Failed(failure), FAILED_S, !failure.may_be_of_request(), Landed::Failed(failure));
    }

    /// Tells what there is in the place of an answer for all: to the leader and his like, or to everybody where it is not his
    /// request that the origin refuses. `is_all`: that is known.
    pub(super) fn refused(&self, refusal: Refusal, seconds: u64, is_all: bool, landed: Landed) {
        // Who comes from now on finds what is noted.
        let one = Refused { voice: self.voice, refusal, until: self.corridor.now() + seconds };
        let is_told_all = self.corridor.store().refuse(&self.key, one, is_all);
        self.lead.close();
        self.lead.tell(if is_told_all { landed } else { Landed::Only(self.voice, Arc::new(landed)) });
    }

    /// Seconds that the operator gives an answer of which the origin says nothing.
    pub(super) fn negative(&self, status: StatusCode) -> Option<u32> {
        let is_negative = matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE);
        (is_negative && !self.route.negative.is_zero())
            .then(|| u32::try_from(self.route.negative.as_secs()).unwrap_or(super::SECONDS_MOST))
    }
}

/// Answers in whose place something stale may be sent (RFC 5861, 4).
pub(super) fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

pub fn empty() -> Sent {
    Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync()
}
