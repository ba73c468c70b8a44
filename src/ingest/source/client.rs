//! The real wire: HTTP/1.1 and TLS by ureq and rustls, directly or through a proxy.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64ct::{Base64, Encoding};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{Connector, DefaultConnector, TcpConnector};
use ureq::{Agent, BodyReader, Proxy, Timeout};

use super::address::{Address, Origin};
use super::fault::Fault;
use super::proxy::Proxies;
use super::secure;
use super::settings::Settings;
use super::through::{Names, ThroughProxy};
use super::wire::{Answer, Body, Wire};
use crate::base::shown::Shown;

/// How long a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(10);
/// How long a connection and its handshakes may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may take to answer with a head. Some make the package only then.
const HEAD: Duration = Duration::from_secs(30);
/// How long nothing may come while a body arrives.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes of a response's head; real ones are below 2 KB.
const HEAD_BYTES: usize = 16 << 10;

/// A name that has no address here.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {why}")]
pub struct Unresolved {
    pub host: String,
    pub why: io::Error,
}

/// Asks servers on behalf of one source.
pub struct Client {
    home: Origin,
    /// Sent to the source's own origin only.
    fields: Vec<(HeaderName, HeaderValue)>,
    proxies: Proxies,
    direct: Agent,
    clear: Option<Route>,
    secure: Option<Route>,
}

/// A way through a proxy; `None` where the environment names none that can be used.
#[derive(Clone)]
struct Route(Option<(Agent, Option<HeaderValue>)>);

/// Ends whatever a client is waiting for.
#[derive(Clone)]
pub struct Interrupt(Arc<Mutex<Vec<Agent>>>);

impl Client {
    pub fn new(settings: &Settings, proxies: Proxies) -> Client {
        let tls = secure::tls(&settings.roots).build();
        let clear = proxies.clear.as_deref().map(|proxy| Route::of(proxy, true, &tls));
        let secure = proxies.secure.as_deref().map(|proxy| Route::of(proxy, false, &tls));
        let direct = Agent::with_parts(config(&tls, None), DefaultConnector::default(), Names::default());
        let mut fields = settings.fields.clone();
        fields.extend(settings.authorization.clone().map(|value| (AUTHORIZATION, value)));
        Client { home: settings.address.origin(), fields, proxies, direct, clear, secure }
    }

    pub fn interrupt(&self) -> Interrupt {
        let routes = [&self.clear, &self.secure].into_iter().flatten();
        let through = routes.filter_map(|route| route.0.as_ref()).map(|(agent, _)| agent.clone());
        Interrupt(Arc::new(Mutex::new(through.chain([self.direct.clone()]).collect())))
    }

    /// Whom to ask, and what the proxy on the way wants to see.
    fn way(&self, origin: &Origin) -> Result<(&Agent, Option<&HeaderValue>), Fault> {
        let Some(proxy) = self.proxies.to(origin) else { return Ok((&self.direct, None)) };
        let route = if origin.is_secure { &self.secure } else { &self.clear };
        match route {
            Some(Route(Some((agent, shown)))) => Ok((agent, shown.as_ref())),
            _ => Err(Fault::Proxy {
                proxy: without_password(proxy),
                to: origin.to_string(),
                why: "expected http:// or https:// and a host".into(),
            }),
        }
    }
}

impl Wire for Client {
    fn get(&self, address: &Address, fields: &[(HeaderName, String)], within: Duration) -> Result<Answer, Fault> {
        let origin = address.origin();
        let (agent, to_proxy) = self.way(&origin)?;
        let mut request = agent.get(address.as_str());
        for (name, value) in fields {
            request = request.header(name, value);
        }
        for (name, value) in self.fields.iter().filter(|_| origin == self.home) {
            request = request.header(name, value);
        }
        if let Some(value) = to_proxy {
            request = request.header(PROXY_AUTHORIZATION, value);
        }
        let telling = Telling { origin, proxy: self.proxies.to(&address.origin()).map(without_password), within };
        let answer = request.config().timeout_global(Some(within)).build().call();
        let (parts, body) = answer.map_err(|error| telling.fault(error, false))?.into_parts();
        let body = Box::new(Arriving { reader: body.into_reader(), telling });
        Ok(Answer { status: parts.status.as_u16(), fields: parts.headers, body })
    }
}

impl Interrupt {
    /// What is under way fails, and nothing new begins.
    pub fn now(&self) {
        let agents = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        agents.into_iter().for_each(Agent::shutdown);
    }
}

impl Route {
    fn of(proxy: &str, is_clear: bool, tls: &TlsConfig) -> Route {
        let Some(proxy) = Proxy::new(proxy).ok().filter(|p| matches!(p.uri().scheme_str(), Some("http" | "https")))
        else {
            return Route(None);
        };
        if is_clear && proxy.uri().scheme_str() == Some("http") {
            let connector = ().chain(TcpConnector::default()).chain(ThroughProxy);
            let names = Names::of_proxy(proxy.uri().clone());
            return Route(Some((Agent::with_parts(config(tls, None), connector, names), credentials(&proxy))));
        }
        let agent = Agent::with_parts(config(tls, Some(proxy)), DefaultConnector::default(), Names::default());
        Route(Some((agent, None)))
    }
}

fn credentials(proxy: &Proxy) -> Option<HeaderValue> {
    let user = proxy.username()?;
    let both = format!("{user}:{}", proxy.password().unwrap_or_default());
    let mut value = HeaderValue::try_from(format!("Basic {}", Base64::encode_string(both.as_bytes()))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A proxy's address for people: what stands before the `@` is nobody's business.
fn without_password(proxy: &str) -> String {
    let (scheme, rest) = proxy.split_once("://").unwrap_or(("http", proxy));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    Shown::text(&format!("{scheme}://{host}")).to_string()
}

/// Redirects are followed by whoever asks, who decides where they may lead; nothing is decoded on the way.
fn config(tls: &TlsConfig, proxy: Option<Proxy>) -> ureq::config::Config {
    Agent::config_builder()
        .tls_config(tls.clone())
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(secure::USER_AGENT)
        .accept("*/*")
        .accept_encoding("identity")
        .max_response_header_size(HEAD_BYTES)
        .timeout_resolve(Some(RESOLVE))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(HEAD))
        .timeout_per_read(Some(SILENCE))
        .timeout_per_write(Some(SILENCE))
        .build()
}

/// A body on the wire.
struct Arriving {
    reader: BodyReader<'static>,
    telling: Telling,
}

impl Body for Arriving {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Fault> {
        self.reader.read(into).map_err(|error| self.telling.fault(ureq::Error::from(error), true))
    }
}

/// What is needed to say what went wrong.
struct Telling {
    origin: Origin,
    proxy: Option<String>,
    within: Duration,
}

impl Telling {
    /// `has_begun`: the head of an answer has come.
    fn fault(&self, error: ureq::Error, has_begun: bool) -> Fault {
        let host = || self.origin.host.clone();
        if let Some(why) = secure::objection(&error) {
            return Fault::Tls { host: host(), why };
        }
        match error {
            ureq::Error::Timeout(which) => self.slow(which),
            ureq::Error::HostNotFound => Fault::Name { host: host(), why: "not found".into() },
            ureq::Error::Other(why) => match why.downcast::<Unresolved>() {
                Ok(name) => Fault::Name { host: name.host, why: name.why.to_string() },
                Err(why) => Fault::Broken { why: why.to_string() },
            },
            ureq::Error::ConnectProxyFailed(why) => Fault::Proxy {
                proxy: self.proxy.clone().unwrap_or_default(),
                to: self.origin.to_string(),
                why: Shown::text(&why).to_string(),
            },
            ureq::Error::Io(why) if has_begun || is_of_the_exchange(&why) => Fault::Broken { why: why.to_string() },
            ureq::Error::Io(why) => Fault::Connect { to: self.to(), why: why.to_string() },
            ureq::Error::ConnectionFailed => Fault::Connect { to: self.to(), why: "refused".into() },
            other => Fault::Broken { why: Shown::text(&other.to_string()).to_string() },
        }
    }

    /// With whom the connection is.
    fn to(&self) -> String {
        let origin = self.origin.to_string();
        self.proxy.as_ref().map_or(origin.clone(), |proxy| format!("{origin} through {proxy}"))
    }

    fn slow(&self, which: Timeout) -> Fault {
        let (what, limit) = match which {
            Timeout::Resolve => ("the DNS", RESOLVE),
            Timeout::Connect => ("connecting", CONNECT),
            Timeout::RecvResponse => ("the answer", HEAD),
            Timeout::PerRead | Timeout::PerWrite => ("the next byte", SILENCE),
            _ => ("the transfer", self.within),
        };
        Fault::Slow { what, limit: limit.min(self.within) }
    }
}

/// What cannot happen before there is a connection.
fn is_of_the_exchange(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_password_is_not_shown() {
        assert_eq!(without_password("http://u:p@proxy:3128"), "http://proxy:3128");
        assert_eq!(without_password("u:p@proxy:3128"), "http://proxy:3128");
        let shown = credentials(&Proxy::new("http://us%40er:p%3Aw@proxy:3128").unwrap()).unwrap();
        assert_eq!(shown.to_str().unwrap(), "Basic dXNAZXI6cDp3");
        assert!(shown.is_sensitive());
    }
}
