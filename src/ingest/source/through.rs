//! A clear request through a proxy, in the form that proxies expect of it (RFC 9112, section 3.2.2): the whole URL in
//! the request line. ureq knows CONNECT alone, which most proxies refuse for port 80.

use std::fmt;

use http::Uri;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::client::Unresolved;

/// Resolves names; or, where all goes through one proxy, the proxy's name whoever is asked for.
#[derive(Default)]
pub struct Names {
    pub proxy: Option<Uri>,
    inner: DefaultResolver,
}

impl Names {
    pub fn of_proxy(proxy: Uri) -> Names {
        Names { proxy: Some(proxy), inner: DefaultResolver::default() }
    }
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let uri = self.proxy.as_ref().unwrap_or(uri);
        self.inner.resolve(uri, config, timeout).map_err(|error| match error {
            // Told apart from what fails afterwards, which comes as the same kind of error.
            ureq::Error::Io(why) => {
                ureq::Error::Other(Box::new(Unresolved { host: uri.host().unwrap_or_default().into(), why }))
            }
            other => other,
        })
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

/// Wraps the connection to a proxy.
#[derive(Debug)]
pub struct ThroughProxy;

impl<In: Transport> Connector<In> for ThroughProxy {
    type Out = Through<In>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        let authority = details.uri.authority().map(|a| a.as_str()).unwrap_or_default();
        let start = format!("http://{authority}").into_bytes();
        Ok(chained.map(|inner| Through { inner, start }))
    }
}

/// A connection on which the path of each request gets scheme and host before it.
#[derive(Debug)]
pub struct Through<In> {
    inner: In,
    start: Vec<u8>,
}

/// Nothing else is asked here, and no request has a body: what begins so is the head of a request.
const METHOD: &[u8] = b"GET ";

impl<In: Transport> Transport for Through<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let start = &self.start;
        let output = self.inner.buffers().output();
        let is_head = output.starts_with(b"GET /") && amount + start.len() <= output.len();
        let added = if is_head {
            output.copy_within(METHOD.len()..amount, METHOD.len() + start.len());
            output[METHOD.len()..][..start.len()].copy_from_slice(start);
            start.len()
        } else {
            0
        };
        self.inner.transmit_output(amount + added, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}
