//! Tests of streams over TLS, whose other end is rustls as others use it.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, NamedGroup, RootCertStore, ServerConfig, SupportedCipherSuite};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::secure::{Secure, accept};

/// As many bytes as no two records have in the same place.
fn text(len: usize) -> Vec<u8> {
    (0..len as u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(len).collect()
}

/// A server, and a client with its `provider`.
fn configs(provider: CryptoProvider) -> (Arc<ServerConfig>, ClientConfig) {
    let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let chain = vec![made.cert.der().clone()];
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let own = Arc::new(aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(own).with_safe_default_protocol_versions().unwrap();
    let mut server = server.with_no_client_auth().with_single_cert(chain.clone(), key).unwrap();
    server.enable_secret_extraction = true;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    (Arc::new(server), client)
}

type Pair = (Secure<DuplexStream>, TlsStream<DuplexStream>);

/// Both ends after their handshake; `room` is what the wire holds.
async fn pair(provider: CryptoProvider, room: usize) -> Pair {
    let (server, client) = configs(provider);
    let (near, far) = duplex(room);
    let connector = TlsConnector::from(Arc::new(client));
    let (accepted, connected) =
        tokio::join!(accept(far, server), connector.connect(ServerName::try_from("a").unwrap(), near));
    let (stream, protocol) = accepted.unwrap();
    assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]));
    (stream, connected.unwrap())
}

fn with(suite: SupportedCipherSuite) -> CryptoProvider {
    CryptoProvider { cipher_suites: vec![suite], ..aws_lc_rs::default_provider() }
}

#[tokio::test]
async fn bytes_come_and_go_by_every_cipher() {
    // The certificate is ECDSA.
    let suites = aws_lc_rs::ALL_CIPHER_SUITES.iter().filter(|suite| !format!("{suite:?}").contains("ECDHE_RSA"));
    for suite in suites {
        // A wire that holds less than a record, and one that holds everything.
        for room in [7_000, 1 << 20] {
            let (mut server, mut client) = pair(with(*suite), room).await;
            let (asked, head, body) = (text(40_000), text(900), text(200_000));
            let serving = async {
                let mut came = vec![0; asked.len()];
                server.read_exact(&mut came).await.unwrap();
                assert!(came == asked, "{suite:?}");
                let mut slices = [std::io::IoSlice::new(&head), std::io::IoSlice::new(&body)];
                let mut left = &mut slices[..];
                while !left.is_empty() {
                    let n = server.write_vectored(left).await.unwrap();
                    std::io::IoSlice::advance_slices(&mut left, n);
                }
                server.shutdown().await.unwrap();
                assert_eq!(server.read(&mut [0]).await.unwrap(), 0, "{suite:?}");
            };
            let asking = async {
                client.write_all(&asked).await.unwrap();
                client.flush().await.unwrap();
                let mut came = Vec::new();
                // With close_notify, else this is an error.
                client.read_to_end(&mut came).await.unwrap();
                assert!(came == [&head[..], &body[..]].concat(), "{suite:?}");
                client.shutdown().await.unwrap();
            };
            tokio::join!(serving, asking);
        }
    }
}

#[tokio::test]
async fn a_hybrid_of_ml_kem_is_offered() {
    let group = aws_lc_rs::kx_group::X25519MLKEM768;
    let (_server, client) =
        pair(CryptoProvider { kx_groups: vec![group], ..aws_lc_rs::default_provider() }, 1 << 16).await;
    let agreed = client.get_ref().1.negotiated_key_exchange_group().unwrap();
    assert_eq!(agreed.name(), NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn a_client_may_have_new_keys_but_not_for_ever() {
    let (mut server, mut client) = pair(aws_lc_rs::default_provider(), 1 << 20).await;
    let mut byte = [0];
    for n in 0..32 {
        client.get_mut().1.refresh_traffic_keys().unwrap();
        client.write_all(&[n]).await.unwrap();
        client.flush().await.unwrap();
        server.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, [n]);
        // It asks for ours in turn.
        server.write_all(&[n]).await.unwrap();
        server.flush().await.unwrap();
        client.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, [n]);
    }
    client.get_mut().1.refresh_traffic_keys().unwrap();
    client.write_all(&[1]).await.unwrap();
    client.flush().await.unwrap();
    assert!(server.read_exact(&mut byte).await.is_err());
}

/// What the client sends passes through `meddle`; what the server makes of it.
async fn meddled(meddle: impl Fn(&mut Vec<u8>)) -> std::io::Result<Vec<u8>> {
    let (mut server, mut client) = pair(aws_lc_rs::default_provider(), 1 << 20).await;
    let (mut wire, mut read) = (Vec::new(), Vec::new());
    std::io::Write::write_all(&mut client.get_mut().1.writer(), b"hola").unwrap();
    client.get_mut().1.write_tls(&mut wire).unwrap();
    meddle(&mut wire);
    client.get_mut().0.write_all(&wire).await.unwrap();
    client.get_mut().0.shutdown().await.unwrap();
    server.read_to_end(&mut read).await?;
    Ok(read)
}

#[tokio::test]
async fn whatever_is_changed_on_the_way_is_found() {
    let whole = meddled(|_| {}).await;
    // All there is, but no close_notify: whoever cut it off is found, too (RFC 8446, 6.1).
    assert_eq!(whole.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    for at in 0..26 {
        let changed = meddled(|wire| {
            if let Some(byte) = wire.get_mut(at) {
                *byte ^= 1;
            }
        });
        assert!(changed.await.is_err(), "{at}");
    }
    let twice = meddled(|wire| wire.extend_from_within(..)).await;
    assert_eq!(twice.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    let long = meddled(|wire| *wire = vec![23, 3, 3, 0xff, 0xff]).await;
    assert_eq!(long.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    let clear = meddled(|wire| *wire = vec![21, 3, 3, 0, 2, 1, 0]).await;
    assert_eq!(clear.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_client_that_only_shakes_hands_has_its_goodbye_answered() {
    let (server, client) = configs(aws_lc_rs::default_provider());
    let (near, far) = duplex(1 << 16);
    let connector = TlsConnector::from(Arc::new(client));
    let asking = async {
        let mut client = connector.connect(ServerName::try_from("a").unwrap(), near).await.unwrap();
        client.shutdown().await.unwrap();
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"");
    };
    let serving = async {
        let (mut stream, _) = accept(far, server).await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        stream.shutdown().await.unwrap();
    };
    tokio::join!(asking, serving);
}

#[tokio::test]
async fn what_is_no_tls_is_told_so() {
    let (server, _) = configs(aws_lc_rs::default_provider());
    let (mut near, far) = duplex(1 << 16);
    near.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(accept(far, server).await.is_err());
    let mut told = Vec::new();
    near.read_to_end(&mut told).await.unwrap();
    assert_eq!(told.first(), Some(&21), "an alert: {told:?}");
}
