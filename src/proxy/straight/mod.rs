//! A plain request for what is not stored, and its answer, from bytes to bytes: by the rules of [`pass`](super::pass), without
//! a map of fields on either side. Whoever answers the client drives it; what is out of the common goes on by the general way,
//! and the client is told the same.

pub mod fuzz;
pub mod request;
mod response;

use http::Response;

use super::corridor::{Corridor, Failed, Passing};
use super::instant::Glance;
use super::interim::Early;
use super::pass::{Told, passed};
use super::route::{Query, Route};
use super::status::{Forward, Outcome, Status};
use super::upstream::{Caller, Straight};
pub use response::Answer;

/// Why what is of a route goes straight.
fn why(route: &Route) -> (Forward, &'static str) {
    if route.cache { (Forward::Miss, "alone") } else { (Forward::Bypass, "route") }
}

impl Corridor {
    /// The head of a plain request as its origin gets it; `None` where [`Corridor::answer`] has to be asked. `glance`: the same, where
    /// it says nothing to caches and brings no credentials; `room` is for its key.
    pub fn written(
        &self,
        route: &Route,
        asked: &request::Read,
        glance: Option<&Glance>,
        room: &mut String,
    ) -> Option<Vec<u8>> {
        let upstream = self.upstream(route);
        if route.results || route.query != Query::Keep || !upstream.is_plain() {
            return None;
        }
        // Of what a HEAD tells of what is stored, something may come of it.
        if route.cache && (asked.is_head || !glance.is_some_and(|glance| self.is_alone(route, glance, room))) {
            return None;
        }
        request::write(asked, upstream.plan(), !route.cache, self.name())
    }

    /// Begins to ask with what [`Corridor::written`] has written.
    pub fn straight(&self, route: &Route, head: Vec<u8>, caller: Caller) -> Straight {
        let to_head = head.starts_with(b"HEAD ");
        self.upstream(route).straight(head, to_head, caller, self.times(route))
    }

    /// Writes the head of the answer that `read` begins behind `out`, without `Date` and the empty line, and returns what there is
    /// of it; `None`, and `out` as it was, where it goes on by [`Corridor::go_on`].
    pub fn answered<'b>(
        &self,
        route: &Route,
        straight: &mut Straight,
        read: &'b [u8],
        out: &mut Vec<u8>,
    ) -> Option<Answer<'b>> {
        let from = out.len();
        let answer = response::read(read, straight.to_head(), out).filter(|_| straight.is_sent());
        let Some(answer) = answer else {
            out.truncate(from);
            return None;
        };
        let status = answer.status;
        let (why, detail) = why(route);
        let told = Status { forward_status: Some(status), detail: Some(detail), ..Status::of(Outcome::Forwarded(why)) };
        // As `told` prints it.
        let name = self.name();
        let via = ["via: 1.1 ", name, "\r\ncache-status: ", name, "; fwd=", why.token()];
        let rest = ["; fwd-status=", status.as_str(), "; detail=", detail, "\r\n"];
        via.iter().chain(&rest).for_each(|part| out.extend_from_slice(part.as_bytes()));
        self.tally(route).count(&told, straight.path(), status);
        straight.is_answered(answer.left, answer.is_bare);
        Some(answer)
    }

    /// The answer to what could not be answered straight.
    pub async fn go_on(&self, route: &Route, straight: Straight, early: &Early) -> Result<Response<Passing>, Failed> {
        let path = straight.path().to_owned();
        let (why, detail) = why(route);
        let upstream = self.upstream(route);
        let response = upstream.go_on(straight, Some(early.hearing(self.shared_name()))).await;
        let response = response.inspect_err(|failure| self.tally(route).failed(&upstream.plan().name, *failure));
        response
            .and_then(|response| {
                let told = Told { why, answered: response.status(), detail: Some(detail) };
                passed(self, route, response, told, &path)
            })
            .map_err(|failure| self.failed(route, failure, why, &path))
    }
}
