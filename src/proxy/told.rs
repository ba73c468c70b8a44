//! What a client is told: the answer of [`ask`](super::ask) made his own, whatever his asking came to.

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, AGE, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::oneshot;

use super::ask::Asking;
use super::corridor::{Failed, Passing};
use super::cut::Slice;
use super::failure::Failure;
use super::fetch::Own;
use super::flight::{How, Shared};
use super::partial::Partial;
use super::pass::{Told, passed};
use super::reply::{self, For};
use super::reuse::{self, Contract, Reuse};
use super::status::{Forward, Outcome, Status};
use super::store::Stored;
use super::{cut, update};
use crate::base::range::Wanted;

impl Asking {
    fn asked(&self) -> For<'_> {
        For { method: &self.head.method, fields: &self.head.headers }
    }

    fn count<B>(&self, status: &Status, response: &Response<B>) {
        self.corridor.tally(&self.route).count(status, self.head.uri.path(), response.status());
    }

    pub(super) fn stored(
        &self,
        stored: &Stored,
        outcome: Outcome,
        detail: Option<&'static str>,
        now: u64,
    ) -> Response<Passing> {
        let status = Status { ttl: Some(stored.left(now)), detail, ..Status::of(outcome) };
        let response = reply::stored(stored, self.asked(), false, &status, self.corridor.name(), now);
        self.count(&status, &response);
        response.map(Passing::Whole)
    }

    /// A range of what there is of a body that broke off, while that is fresh.
    pub(super) fn within(&self, part: &Partial, contract: Contract, now: u64) -> Option<Response<Passing>> {
        let kept = part.stored.kept();
        let range = part.within(self.asked())?;
        if reuse::decide(&kept, &self.said, contract, now) != Reuse::Fresh {
            return None;
        }
        let status = Status { ttl: Some(kept.left(now)), detail: Some("partial"), ..Status::of(Outcome::Hit) };
        let response = part.reply(range, &status, self.corridor.name(), now);
        self.count(&status, &response);
        Some(response.map(Passing::Whole))
    }

    pub(super) fn landed(&self, stored: &Stored, how: How, why: Forward, collapsed: bool) -> Response<Passing> {
        let now = self.corridor.now();
        let ttl = Some(stored.left(now));
        let (status, is_validated) = match how {
            How::Validated => {
                let forward_status = Some(StatusCode::NOT_MODIFIED);
                let outcome = Outcome::Forwarded(why);
                (Status { ttl, forward_status, stored: true, collapsed, ..Status::of(outcome) }, true)
            }
            How::Found => (Status { ttl, ..Status::of(Outcome::Hit) }, false),
            How::DespiteFailure(failure, _) => {
                let detail = Some(failure.map_or("origin-failed", Failure::name));
                (Status { ttl, detail, ..Status::of(Outcome::HitStale) }, false)
            }
        };
        let mut response = reply::stored(stored, self.asked(), is_validated, &status, self.corridor.name(), now);
        if is_validated && !collapsed && !stored.was_aged() {
            // Its presence would say that the origin was not asked for this one (RFC 9111, 5.1).
            response.headers_mut().remove(AGE);
        }
        self.count(&status, &response);
        response.map(Passing::Whole)
    }

    /// An answer while it grows, or the range of it that is wanted, where its length is known: else the whole is sent, as a
    /// server may (RFC 9110, 14.2).
    pub(super) fn shared(&self, shared: &Shared, why: Forward, collapsed: bool) -> Response<Passing> {
        let now = self.corridor.now();
        // What only the one who asked may have, or must not be sent twice, is not for who has joined him.
        let mut fields = if collapsed { update::unvalidated(&shared.fields) } else { shared.fields.clone() };
        if !collapsed {
            fields.extend(shared.private.clone());
        }
        // Who has made the origin answer gets no younger or older answer than it gave (RFC 9111, 5.1).
        if collapsed || fields.contains_key(AGE) {
            fields.insert(AGE, shared.kept.age(now).into());
        }
        let (mut status_code, mut body) = (shared.status, Passing::Whole(Bytes::new()));
        let length = shared.body.length().filter(|_| status_code == StatusCode::OK);
        if length.is_some() {
            fields.entry(ACCEPT_RANGES).or_insert(HeaderValue::from_static("bytes"));
        }
        let wanted = length.map_or(Wanted::Whole, |length| cut::wanted(self.asked(), &fields, length));
        if status_code == StatusCode::OK && reply::is_not_modified(&self.head.headers, &fields, shared.kept.received) {
            status_code = StatusCode::NOT_MODIFIED;
            reply::brief(&mut fields);
        } else if self.head.method != Method::HEAD {
            let (reader, length) = (shared.body.reader(), length.unwrap_or_default());
            match wanted {
                Wanted::Whole => body = Passing::Arriving(reader.boxed_unsync()),
                Wanted::Part(part) => {
                    status_code = cut::tell_part(&mut fields, &part, length);
                    body = Passing::Arriving(Slice::new(reader, &part).boxed_unsync());
                }
                Wanted::Unsatisfiable => status_code = cut::tell_unsatisfiable(&mut fields, length),
            }
        }
        let status = Status {
            forward_status: Some(shared.answered),
            ttl: Some(shared.kept.left(now)),
            stored: true,
            collapsed,
            ..Status::of(Outcome::Forwarded(why))
        };
        reply::finish(&mut fields, &status, self.corridor.name());
        let mut response = Response::new(body);
        *response.status_mut() = status_code;
        *response.headers_mut() = fields;
        self.count(&status, &response);
        response
    }

    /// The answer that nobody else may have; `None` where the origin had better be asked as the client asks.
    pub(super) async fn own(
        &self,
        own: oneshot::Receiver<Own>,
        why: Forward,
        detail: &'static str,
    ) -> Option<Result<Response<Passing>, Failed>> {
        let response = match own.await.unwrap_or(Err(Failure::Reset)) {
            Ok(response) => response,
            Err(failure) => return Some(Err(self.failed(failure, why))),
        };
        let answered = response.status();
        let response = cut::arriving(response, self.asked(), self.corridor.now())?;
        let told = Told { why, answered, detail: Some(detail) };
        let passed = passed(&self.corridor, &self.route, response, told, self.head.uri.path());
        Some(passed.map_err(|failure| self.failed(failure, why)))
    }
}
