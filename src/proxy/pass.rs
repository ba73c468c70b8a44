//! A request that goes to its origin as it is, and an answer that nobody else gets.

use std::sync::Arc;

use http::header::{CONNECTION, UPGRADE};
use http::{Request, Response, StatusCode};

use super::corridor::{Asked, Corridor, Failed, Passing};
use super::failure::Failure;
use super::route::Route;
use super::status::{Forward, Outcome, Status};
use super::upstream::Arriving;
use super::{forward, hops, invalidate, reply};

/// Passes a request on, with its body.
pub async fn pass(
    corridor: &Arc<Corridor>,
    route: &Route,
    asked: Asked,
    why: Forward,
    detail: Option<&'static str>,
) -> Result<Response<Passing>, Failed> {
    let (head, body) = asked.request.into_parts();
    let upstream = corridor.upstream(route);
    let failed = |failure| corridor.failed(route, failure, why);
    let plan = upstream.plan();
    let address = forward::address(route, plan.tls.is_some(), &plan.host, &head.uri, &head.headers)
        .ok_or_else(|| failed(Failure::RequestMalformed))?;
    let fields = forward::fields(&head, route, plan, asked.client.from.ip(), corridor.name()).map_err(failed)?;
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = address.clone();
    *request.headers_mut() = fields;
    let response = upstream.send(request, asked.client).await.map_err(|failure| {
        corridor.tally(route).failed(&plan.name, failure);
        failed(failure)
    })?;
    let has_more = route.by_corte || !route.headers.is_empty();
    for address in invalidate::after(&head.method, &address.to_string(), response.status(), response.headers()) {
        corridor.store().outdate(&address, has_more);
    }
    passed(corridor, route, response, why, detail, false).map_err(failed)
}

/// The answer to one request, as it goes on to the client.
pub fn passed(
    corridor: &Corridor,
    route: &Route,
    mut response: Response<Arriving>,
    why: Forward,
    detail: Option<&'static str>,
    collapsed: bool,
) -> Result<Response<Passing>, Failure> {
    let status = response.status();
    let fields = response.headers_mut();
    let upgrade = fields.get(UPGRADE).cloned().filter(|_| status == StatusCode::SWITCHING_PROTOCOLS);
    hops::strip(fields).map_err(|_| Failure::Malformed)?;
    if let Some(upgrade) = upgrade {
        fields.insert(UPGRADE, upgrade);
        fields.insert(CONNECTION, http::HeaderValue::from_static("upgrade"));
    }
    let told = Status { forward_status: Some(status), detail, collapsed, ..Status::of(Outcome::Forwarded(why)) };
    corridor.tally(route).count(&told);
    reply::finish(fields, &told, corridor.name());
    Ok(response.map(Passing::Arriving))
}
