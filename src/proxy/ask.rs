//! A request that a stored response may answer: found, or fetched once for all who want it.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, Uri};
use tokio::sync::oneshot;

use super::corridor::{Asked, Corridor, Failed, Passing};
use super::failure::Failure;
use super::fetch::{Errand, Own};
use super::flight::{Boarded, Flight, How, Landed};
use super::interim::Early;
use super::key::Key;
use super::pass::pass;
use super::reuse::{self, Reuse, Why};
use super::route::Route;
use super::status::{Forward, Outcome};
use super::store::{Era, Stored};
use super::upstream::Caller;
use super::voice::Voice;
use super::{forward, request};

/// How often one who waited finds that the answer is for others (`Vary`, or refused to their like) before he asks alone.
const BOARDS_MAX: usize = 3;
/// Why one asks for himself who might have waited for another.
const ALONE: &str = "alone";
/// Who may have something stale waits so long for something better.
const STALE_AFTER: Duration = Duration::from_secs(1);
/// Validations behind the clients' backs begin within this many milliseconds, so that not all begin at once.
const JITTER_MS: u64 = 500;

/// One request, and what it has come to so far.
pub(super) struct Asking {
    pub(super) corridor: Arc<Corridor>,
    pub(super) route: Arc<Route>,
    pub(super) head: Parts,
    /// As the origin hears it: by this it is told from others.
    heard: HeaderMap,
    voice: Voice,
    client: Caller,
    address: Uri,
    key: Key,
    pub(super) said: request::Directives,
    early: Option<Early>,
}

/// See above.
pub async fn answer(corridor: Arc<Corridor>, route: Arc<Route>, asked: Asked) -> Result<Response<Passing>, Failed> {
    let Asked { request, client, corte, early } = asked;
    let uri = request.uri().clone();
    let failed = |failure| corridor.failed(&route, failure, Forward::Bypass, uri.path());
    let plan = corridor.upstream(&route).plan();
    // What is wrong with this one is told to nobody else.
    let heard = forward::for_all(&request, &route, plan, client.from.ip(), corridor.name()).map_err(failed)?;
    let (head, body) = request.into_parts();
    let address = forward::address(&route, plan.tls.is_some(), &plan.host, &head.uri, &head.headers)
        .ok_or_else(|| failed(Failure::RequestMalformed))?;
    let key = corridor.key(&route, &address, &heard, &head.uri, corte.as_deref());
    let said = request::Directives::read(&head.headers);
    let voice = Voice::of(&heard, &route);
    let asking = Asking { corridor, route, head, heard, voice, client, address, key, said, early };
    match asking.go().await {
        Some(answer) => answer,
        None => {
            let Asking { corridor, route, head, client, key, early, .. } = asking;
            let asked = Asked { request: Request::from_parts(head, body), client, corte, early };
            pass(&corridor, &route, asked, Forward::Miss, Some(ALONE), Some(&key)).await
        }
    }
}

impl Asking {
    pub(super) fn failed(&self, failure: Failure, why: Forward) -> Failed {
        self.corridor.failed(&self.route, failure, why, self.head.uri.path())
    }

    /// `None`: nobody's answer but its own will do.
    async fn go(&self) -> Option<Result<Response<Passing>, Failed>> {
        let corridor = &self.corridor;
        // Before anything is found: what is purged from here on is not sent.
        let era = corridor.store().era(&self.key);
        let (found, is_known) = corridor.store().find(&self.key, &self.heard);
        let now = corridor.now();
        let contract = corridor.contract(&self.route);
        let why = match (&found, is_known) {
            (None, false) => Forward::UriMiss,
            (None, true) => Forward::VaryMiss,
            (Some(stored), _) => match reuse::decide(&stored.kept(), &self.said, contract, now) {
                _ if stored.outdated => Forward::Stale,
                Reuse::Fresh => return Some(Ok(self.stored(stored, Outcome::Hit, None, now))),
                Reuse::MaxStale => return Some(Ok(self.stored(stored, Outcome::HitStale, Some("max-stale"), now))),
                Reuse::WhileRevalidate => {
                    self.revalidate(stored);
                    return Some(Ok(self.stored(stored, Outcome::HitStale, Some("while-revalidate"), now)));
                }
                Reuse::Validate(Why::Request) => Forward::Request,
                Reuse::Validate(Why::Stale | Why::NoCache) => Forward::Stale,
            },
        };
        let part = corridor.store().part(&self.key, &self.heard);
        if let Some(part) = &part
            && let Some(answer) = self.within(part, contract, now)
        {
            return Some(Ok(answer));
        }
        let why = part.map_or(why, |_| Forward::Partial);
        if self.said.only_if_cached {
            return Some(Err(self.failed(Failure::NotStored, why)));
        }
        let stale =
            found.clone().filter(|one| reuse::on_error(&one.kept(), &self.said, contract, now) && !one.outdated);
        let against = corridor.store().against(&self.key, Some(self.voice), now);
        if let Some(stale) = stale.as_ref().filter(|_| against.is_spared) {
            return Some(Ok(self.stored(stale, Outcome::HitStale, Some("origin-failed"), now)));
        }
        if let Some(failure) = against.failed.filter(|_| stale.is_none()) {
            return Some(Err(corridor.refused(&self.route, failure, self.head.uri.path())));
        }
        // A HEAD costs the origin little, and what it says of what is stored counts (RFC 9111, 4.3.5).
        let is_brief = self.head.method == Method::HEAD && stale.is_none();
        if against.is_alone && (found.is_none() || is_brief) {
            return None;
        }
        self.fly(found, stale.as_ref().map(|stale| (stale, era)), why).await
    }

    /// Asks the origin together with all who want the same.
    async fn fly(
        &self,
        found: Option<Arc<Stored>>,
        stale: Option<(&Arc<Stored>, Era)>,
        why: Forward,
    ) -> Option<Result<Response<Passing>, Failed>> {
        let mut selecting = self.corridor.store().selecting(&self.key, &self.heard);
        for board in 1..=BOARDS_MAX {
            let (flight, own) = self.board(&selecting, found.clone(), stale.map(|(stale, _)| stale));
            let leads = own.is_some();
            // The flight is held until the body has its reader: it is waited for while somebody holds it.
            let landed = match self.wait(flight.clone(), stale, leads).await {
                Ok(landed) => landed,
                Err(answer) => return Some(answer),
            };
            let landed = match landed {
                // Who has been refused with so many others takes it as it is: they would all ask alone.
                Landed::Only(voice, landed) if voice == self.voice || board == BOARDS_MAX => Landed::clone(&landed),
                landed => landed,
            };
            match (landed, own) {
                (Landed::Shared(shared), _) => {
                    if let Some(key) = shared.vary.key(&self.heard).filter(|key| *key != shared.selects) {
                        selecting = key;
                        continue;
                    }
                    return Some(Ok(self.shared(&shared, why, !leads)));
                }
                (Landed::Stored(stored, how), None) if !self.may_have(&stored, how) => {
                    selecting = stored.key_of(&self.heard)?;
                }
                (Landed::Stored(stored, how), _) => return Some(Ok(self.landed(&stored, how, why, !leads))),
                (Landed::Alone(_), None) => return None,
                // It was his request; ours may fare better.
                (Landed::Only(..), _) => {}
                (Landed::Alone(detail), Some(own)) => return self.own(own, why, detail).await,
                (Landed::Failed(failure), _) => {
                    // What fails for who had asked first, and had nothing else, need not for who has.
                    let still =
                        stale.and_then(|(stale, era)| self.corridor.store().still(&self.key, &self.heard, stale, era));
                    return Some(match still {
                        Some(still) => {
                            Ok(self.stored(&still, Outcome::HitStale, Some("origin-failed"), self.corridor.now()))
                        }
                        None => Err(self.failed(failure, why)),
                    });
                }
            }
        }
        None
    }

    /// Whether what another was told is for this one too: it may be selected by other fields, and sent stale because he takes
    /// that.
    fn may_have(&self, stored: &Stored, how: How) -> bool {
        let (corridor, route) = (&self.corridor, &self.route);
        let is_good = || match how {
            How::Validated => true,
            How::Found => {
                reuse::decide(&stored.kept(), &self.said, corridor.contract(route), corridor.now()) == Reuse::Fresh
            }
            How::DespiteFailure(..) => {
                reuse::on_error(&stored.kept(), &self.said, corridor.contract(route), corridor.now())
            }
        };
        stored.is_for(&self.heard) && is_good()
    }

    /// The flight, and where the answer comes that only we may have, if it is we who ask.
    fn board(
        &self,
        selecting: &[u8],
        found: Option<Arc<Stored>>,
        stale: Option<&Arc<Stored>>,
    ) -> (Flight, Option<oneshot::Receiver<Own>>) {
        let name = [self.key.as_bytes(), b"\n\n", selecting].concat();
        match self.corridor.flights.board(name) {
            Boarded::Joined(flight) => (flight, None),
            Boarded::Leads(lead, flight) => {
                if let Some(landed) = self.meanwhile(found.is_none(), stale) {
                    lead.tell(landed);
                    return (flight, None);
                }
                let (own, answer) = oneshot::channel();
                let errand = Errand {
                    corridor: self.corridor.clone(),
                    route: self.route.clone(),
                    key: self.key.clone(),
                    asked: self.heard.clone(),
                    voice: self.voice,
                    address: self.address.clone(),
                    client: self.client,
                    stored: found,
                    lead,
                    early: self.early.clone(),
                    own,
                };
                // Of its own: the client who asked first may go away.
                tokio::spawn(errand.run());
                (flight, Some(answer))
            }
        }
    }

    /// What another flight has come to between our look at the store and our boarding: whoever leads by then need not ask.
    fn meanwhile(&self, finds_nothing: bool, stale: Option<&Arc<Stored>>) -> Option<Landed> {
        let (store, now) = (self.corridor.store(), self.corridor.now());
        let fresh = store.find(&self.key, &self.heard).0.filter(|stored| {
            let decided = reuse::decide(&stored.kept(), &self.said, self.corridor.contract(&self.route), now);
            !stored.outdated && decided == Reuse::Fresh
        });
        if let Some(fresh) = fresh {
            return Some(Landed::Stored(fresh, How::Found));
        }
        // What is held against one voice is not for who joins him.
        let against = store.against(&self.key, None, now);
        let spared = stale.filter(|_| against.is_spared);
        let spared = spared.map(|stale| Landed::Stored(stale.clone(), How::DespiteFailure(None, None)));
        let failed = || against.failed.filter(|_| stale.is_none()).map(Landed::Failed);
        let alone = || (against.is_alone && finds_nothing).then_some(Landed::Alone(ALONE));
        spared.or_else(failed).or_else(alone)
    }

    /// What the flight comes to; who may have something stale does not wait long for it.
    async fn wait(
        &self,
        flight: Flight,
        stale: Option<(&Arc<Stored>, Era)>,
        leads: bool,
    ) -> Result<Landed, Result<Response<Passing>, Failed>> {
        // The upstream's own limits end the errand: who has asked hears their names.
        let total = self.corridor.times(&self.route).total;
        let most = if leads { self.route.wait.max(total.saturating_mul(2)) } else { self.route.wait };
        let first = stale.map_or(most, |_| STALE_AFTER.min(self.route.wait));
        let mut landed = self.corridor.flights.wait(flight.clone(), first).await;
        if let (Err(_), Some((stale, era))) = (&landed, stale) {
            if let Some(stale) = self.corridor.store().still(&self.key, &self.heard, stale, era) {
                let stored = self.stored(&stale, Outcome::HitStale, Some("origin-slow"), self.corridor.now());
                return Err(Ok(stored));
            }
            // It was purged or written to: there is nothing but what comes.
            landed = self.corridor.flights.wait(flight, most.saturating_sub(first)).await;
        }
        landed.map_err(|failure| Err(self.failed(failure, Forward::Miss)))
    }

    /// Validates behind the clients' backs, once for all.
    fn revalidate(&self, stored: &Arc<Stored>) {
        let name = [self.key.as_bytes(), b"\n\n", stored.selects()].concat();
        let Boarded::Leads(lead, _) = self.corridor.flights.board(name) else { return };
        let (own, _) = oneshot::channel();
        let errand = Errand {
            corridor: self.corridor.clone(),
            route: self.route.clone(),
            key: self.key.clone(),
            asked: self.heard.clone(),
            voice: self.voice,
            address: self.address.clone(),
            client: self.client,
            stored: Some(stored.clone()),
            lead,
            early: None,
            own,
        };
        let later = Duration::from_millis(self.corridor.jitter(JITTER_MS));
        tokio::spawn(async move {
            tokio::time::sleep(later).await;
            errand.run().await;
        });
    }
}
