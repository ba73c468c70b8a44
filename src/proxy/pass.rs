//! A request that goes to its origin as it is, and an answer that nobody else gets.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, HeaderMap, IF_MATCH, IF_UNMODIFIED_SINCE, UPGRADE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};

use super::corridor::{Asked, Corridor, Failed, Passing};
use super::failure::Failure;
use super::hops::Forwards;
use super::key::Key;
use super::renew::Said;
use super::request::{Use, use_of};
use super::route::Route;
use super::status::{Forward, Outcome, Status};
use super::upstream::Arriving;
use super::{forward, hops, invalidate, key, reply, request};

/// Why a request for something that may be stored goes to the origin as it is; `None` where it does not.
pub fn alone<B>(route: &Route, asked: &Request<B>, said: &request::Directives) -> Option<&'static str> {
    let fields = asked.headers();
    // What changes something only if it is still the same is for the origin to judge (RFC 9111, 4.3.2).
    let is_condition = || fields.contains_key(IF_MATCH) || fields.contains_key(IF_UNMODIFIED_SINCE);
    match () {
        () if !route.cache => Some("route"),
        () if fields.contains_key(AUTHORIZATION) => Some("authorization"),
        () if said.no_store => Some("request-no-store"),
        () if is_condition() => Some("condition"),
        // A connection that becomes something else is its client's alone.
        () if *asked.method() == Method::GET && hops::upgrade(asked.version(), fields).is_some() => Some("upgrade"),
        () => None,
    }
}

/// Passes a request on, with its body. `key`: where something of the same may be stored.
pub async fn pass(
    corridor: &Arc<Corridor>,
    route: &Route,
    asked: Asked,
    why: Forward,
    detail: Option<&'static str>,
    key: Option<&Key>,
) -> Result<Response<Passing>, Failed> {
    let (mut head, body) = asked.request.into_parts();
    let upstream = corridor.upstream(route);
    let path = head.uri.clone();
    let failed = |failure| corridor.failed(route, failure, why, path.path());
    if use_of(&head.method) == Use::Answer && route.cache && request::Directives::read(&head.headers).only_if_cached {
        return Err(failed(Failure::NotStored));
    }
    if hops::max_forwards(&head.method, &head.headers) == Forwards::Here {
        return Ok(here(corridor, route, &head));
    }
    let plan = upstream.plan();
    let address = forward::address(route, plan.tls.is_some(), &plan.host, &head.uri, &head.headers)
        .ok_or_else(|| failed(Failure::RequestMalformed))?;
    // Most are looked at no more.
    let is_over = use_of(&head.method) == Use::Answer;
    let fields = if is_over { std::mem::take(&mut head.headers) } else { head.headers.clone() };
    let fields = forward::fields((&head).into(), fields, route, plan, asked.client.from.ip(), corridor.name())
        .map_err(failed)?;
    let tells = head.method == Method::HEAD && !forward::is_another(&fields, route);
    let stored_by = key.filter(|_| tells).map(|key| {
        let mut heard = fields.clone();
        forward::ask_for_all(&mut heard, route);
        (key, heard)
    });
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = address.clone();
    *request.headers_mut() = fields;
    let hearing = asked.early.as_ref().map(|early| early.hearing(corridor.shared_name()));
    let begun = corridor.now();
    let response =
        upstream.send_for_one(request, asked.client, corridor.times(route), hearing).await.map_err(|failure| {
            corridor.tally(route).failed(&plan.name, failure);
            failed(failure)
        })?;
    outdate(corridor, route, &head, &address, &response);
    if let Some((key, heard)) = stored_by.as_ref().filter(|_| response.status() == StatusCode::OK) {
        let said = Said {
            asked: heard,
            fields: response.headers(),
            version: response.version(),
            begun,
            now: corridor.now(),
            negative: None,
            name: corridor.name(),
        };
        corridor.store().told(key, heard, |stored| said.by_head(stored));
    }
    let told = Told { why, answered: response.status(), detail };
    passed(corridor, route, response, told, head.uri.path()).map_err(failed)
}

/// We are whom it was to reach (RFC 9110, 7.6.2): what the origin can do, nobody here knows.
fn here(corridor: &Corridor, route: &Route, head: &Parts) -> Response<Passing> {
    let mut response = Response::new(Passing::Whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let told = Status { detail: Some("max-forwards"), ..Status::of(Outcome::Refused) };
    corridor.tally(route).count(&told, head.uri.path(), response.status());
    reply::finish(response.headers_mut(), &told, corridor.name());
    response
}

/// What a write has changed counts no longer (RFC 9111, 4.4), whether it names that as its client or as the origin does.
fn outdate(corridor: &Corridor, route: &Route, head: &Parts, address: &Uri, response: &Response<Arriving>) {
    if use_of(&head.method) != Use::Write {
        return;
    }
    let after =
        |target: &Uri| invalidate::after(&head.method, &target.to_string(), response.status(), response.headers());
    for named in after(address) {
        forget(corridor, &named, route);
        let Ok(named) = named.parse::<Uri>() else { continue };
        // The same may be kept under the rules of other routes.
        let of_origin = |other: &&Arc<Route>| other.upstream == route.upstream && takes(other, &named);
        for other in corridor.routes().iter().filter(of_origin) {
            if let Some(address) = readdressed(other, &named) {
                forget(corridor, &address.to_string(), other);
            }
        }
    }
    for named in after(&head.uri).iter().filter_map(|named| named.parse::<Uri>().ok()) {
        let Some(other) = corridor.route(named.authority().map(|host| host.as_str()), named.path()) else { continue };
        let plan = corridor.upstream(other).plan();
        if let Some(address) = forward::address(other, plan.tls.is_some(), &plan.host, &named, &HeaderMap::new()) {
            forget(corridor, &address.to_string(), other);
        }
    }
}

/// What is under way to it first: what that stores afterwards, it makes old itself.
fn forget(corridor: &Corridor, address: &str, route: &Route) {
    corridor.flights.outdate(address);
    let has_more = route.by_corte || !route.headers.is_empty() || corridor.beginning(route).is_apart();
    corridor.store().outdate(address, has_more);
}

/// The host of a client is not known from what an origin calls itself.
fn takes(route: &Route, address: &Uri) -> bool {
    route.cache && route.takes(route.host.as_deref(), address.path())
}

fn readdressed(route: &Route, address: &Uri) -> Option<Uri> {
    let mut parts = address.clone().into_parts();
    parts.path_and_query = Some(key::target(route, address)?);
    Uri::from_parts(parts).ok()
}

/// How an answer was come by that only one client gets.
pub struct Told {
    pub why: Forward,
    /// What the origin has said; the client may be told something else.
    pub answered: StatusCode,
    pub detail: Option<&'static str>,
}

/// The answer to one request, as it goes on to the client.
pub fn passed(
    corridor: &Corridor,
    route: &Route,
    mut response: Response<Arriving>,
    told: Told,
    path: &str,
) -> Result<Response<Passing>, Failure> {
    let (status, version) = (response.status(), response.version());
    // The version is each hop's own (RFC 9110, 2.5): as HTTP/1.0, a body would end with the connection, whole or not.
    *response.version_mut() = Version::HTTP_11;
    let fields = response.headers_mut();
    let upgrade = fields.get(UPGRADE).cloned().filter(|_| status == StatusCode::SWITCHING_PROTOCOLS);
    hops::strip(fields).map_err(|_| Failure::Malformed)?;
    if let Some(upgrade) = upgrade {
        fields.insert(UPGRADE, upgrade);
        fields.insert(CONNECTION, http::HeaderValue::from_static("upgrade"));
    }
    let Told { why, answered, detail } = told;
    let told = Status { forward_status: Some(answered), detail, ..Status::of(Outcome::Forwarded(why)) };
    corridor.tally(route).count(&told, path, status);
    hops::add_via(fields, version, corridor.name());
    reply::finish(fields, &told, corridor.name());
    Ok(response.map(Passing::Arriving))
}
