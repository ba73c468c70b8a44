//! TLS and HTTP/2: whose certificate, which protocol, one connection for many.

use super::*;
use crate::proxy::upstream::{Check, Checks};
use crate::record::Metrics;

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// A server by hyper that tells what it was asked, with the certificate that a client should believe.
struct Honest {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    certificate: CertificateDer<'static>,
}

impl Honest {
    /// With a certificate for `name`. Without protocols there is no TLS, and HTTP/2 is known beforehand.
    async fn start(name: &str, protocols: &[&[u8]]) -> Honest {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certificate = made.cert.der().clone();
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(vec![certificate.clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let acceptor = (!protocols.is_empty()).then(|| TlsAcceptor::from(Arc::new(config)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let honest = Honest { address: listener.local_addr().unwrap(), connections: Arc::default(), certificate };
        let connections = honest.connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let Some(acceptor) = acceptor.clone() else {
                    tokio::spawn(http2(stream));
                    continue;
                };
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    match stream.get_ref().1.alpn_protocol() {
                        Some(b"h2") => http2(stream).await,
                        _ => {
                            let builder = hyper::server::conn::http1::Builder::new();
                            let _ = builder.serve_connection(TokioIo::new(stream), service_fn(tell)).await;
                        }
                    }
                });
            }
        });
        honest
    }

    fn plan(&self, http2: bool) -> Plan {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Plan { tls: Some(Arc::new(config)), http2, ..plan(&[self.address]) }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn http2<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static>(stream: S) {
    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(tell)).await;
}

async fn tell(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let host = parts.headers.get("host").map(|value| value.to_str().unwrap().to_owned());
    let body = body.collect().await.unwrap().to_bytes().len();
    let told = format!("{:?} {} {host:?} {body}", parts.version, parts.uri);
    Ok(Response::new(Full::new(Bytes::from(told))))
}

#[tokio::test]
async fn the_certificate_has_to_be_the_origins() {
    let honest = Honest::start("127.0.0.1", &[b"http/1.1"]).await;
    let upstream = of(honest.plan(false));
    let told = "HTTP/1.1 /a?b=c Some(\"elecciones.example\") 0";
    for _ in 0..2 {
        assert_eq!(fetch(&upstream).await.unwrap(), told);
        settled(&upstream).await;
    }
    assert_eq!(honest.connections(), 1);
    // The name that the request is for is not the one that counts.
    for name in ["elecciones.example", "127.0.0.2"] {
        let other = Honest::start(name, &[b"http/1.1"]).await;
        assert_eq!(fetch(&of(other.plan(false))).await, Err(Failure::Certificate));
        // Nor is one by somebody unknown.
        let known = Plan { origins: plan(&[other.address]).origins, ..honest.plan(false) };
        assert_eq!(fetch(&of(known)).await, Err(Failure::Certificate));
    }
}

#[tokio::test]
async fn who_speaks_no_tls() {
    let honest = Honest::start("127.0.0.1", &[b"http/1.1"]).await;
    let clear = Scripted::start(&[&[Say("HTTP/1.1 400 Bad Request\r\n\r\n")]]).await;
    let plan = Plan { origins: clear.plan().origins, ..honest.plan(false) };
    assert_eq!(fetch(&of(plan)).await, Err(Failure::Tls));
}

#[tokio::test]
async fn many_share_a_connection() {
    let honest = Honest::start("127.0.0.1", &[b"h2", b"http/1.1"]).await;
    let upstream = of(honest.plan(true));
    let told = Ok("HTTP/2.0 https://elecciones.example/a?b=c None 0".to_owned());
    let (one, two, three) = tokio::join!(fetch(&upstream), fetch(&upstream), fetch(&upstream));
    assert_eq!((&one, &two, &three), (&told, &told, &told));
    let response = upstream.send(asking(Method::POST, full("acta")), caller()).await.unwrap();
    assert!(read(response).await.unwrap().ends_with(" 4"));
    assert_eq!(honest.connections(), 1);
    // Who is not to speak it does not.
    let upstream = of(honest.plan(false));
    assert!(fetch(&upstream).await.unwrap().starts_with("HTTP/1.1"));
}

#[tokio::test]
async fn an_origin_may_not_speak_http2() {
    let honest = Honest::start("127.0.0.1", &[b"http/1.1"]).await;
    let upstream = of(honest.plan(true));
    for _ in 0..2 {
        assert!(fetch(&upstream).await.unwrap().starts_with("HTTP/1.1"));
        settled(&upstream).await;
    }
    assert_eq!(honest.connections(), 1);
}

#[tokio::test]
async fn http2_in_clear() {
    let honest = Honest::start("127.0.0.1", &[]).await;
    let upstream = of(Plan { http2: true, ..plan(&[honest.address]) });
    for _ in 0..2 {
        assert_eq!(fetch(&upstream).await.unwrap(), "HTTP/2.0 http://elecciones.example/a?b=c None 0");
    }
    assert_eq!(honest.connections(), 1);
}

#[tokio::test]
async fn checks_speak_what_readers_requests_do() {
    for protocols in [&[b"h2".as_slice()][..], &[b"http/1.1"], &[]] {
        let honest = Honest::start("127.0.0.1", protocols).await;
        let health = Some(Check { target: "/salud".parse().unwrap(), every: Duration::from_millis(250) });
        let tls = if protocols.is_empty() { None } else { honest.plan(true).tls };
        let metrics: Arc<Metrics> = Arc::default();
        let upstreams = [Upstream::new(Plan { health, tls, ..honest.plan(true) }, &metrics)];
        let checks = Checks::start(&upstreams).unwrap().expect("somebody is checked");
        // With the fourth round, three have been judged.
        while honest.connections() < 4 {
            tokio::task::yield_now().await;
        }
        let place = honest.address;
        let up = format!("difusor_origin_up{{upstream=\"test\",place=\"{place}\"}} 1\n");
        assert!(metrics.text().contains(&up), "{}", metrics.text());
        checks.stop();
    }
}

#[tokio::test]
async fn http2_with_somebody_who_does_not() {
    let origin = Scripted::start(&[&[Say("HTTP/1.1 400 Bad Request\r\n\r\n"), Stall]]).await;
    let upstream = of(Plan { http2: true, ..origin.plan() });
    assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::Malformed);
}
