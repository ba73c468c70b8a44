//! Tests of streams over TLS, whose other end is rustls as others use it.

use std::io::{IoSlice, Read, Write};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, HandshakeKind, NamedGroup, RootCertStore, ServerConfig,
    SupportedCipherSuite,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::secure::{Secure, accept};
use super::tls::{self, Public};

/// As many bytes as no two records have in the same place.
fn text(len: usize) -> Vec<u8> {
    (0..len as u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(len).collect()
}

/// A server, and a client with its `provider`.
fn configs(provider: CryptoProvider) -> (Arc<Public>, ClientConfig) {
    let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let chain = vec![made.cert.der().clone()];
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let own = Arc::new(tls::provider());
    let server = ServerConfig::builder_with_provider(own).with_safe_default_protocol_versions().unwrap();
    let mut server = server.with_no_client_auth().with_single_cert(chain.clone(), key).unwrap();
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    (Arc::new(Public::new(server)), client)
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
            // A head and a long body; frames of HTTP/2 as they fill records, and as they do not.
            let sizes =
                [900, 200_000, 300, 16_375, 9, 16_375, 9, 12_315, 268, 0, 8_192, 300, 12_288, 600, 16_384, 1, 1];
            let (asked, said) = (text(40_000), sizes.map(text));
            let serving = async {
                let mut came = vec![0; asked.len()];
                server.read_exact(&mut came).await.unwrap();
                assert!(came == asked, "{suite:?}");
                let mut slices = said.each_ref().map(|piece| IoSlice::new(piece));
                let mut left = &mut slices[..];
                while !left.is_empty() {
                    let n = server.write_vectored(left).await.unwrap();
                    IoSlice::advance_slices(&mut left, n);
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
                assert!(came == said.concat(), "{suite:?}");
                client.shutdown().await.unwrap();
            };
            tokio::join!(serving, asking);
        }
    }
}

/// The suite that is agreed on with a client who has `suites`, and whether it was resumed.
async fn agreed(server: &Arc<Public>, client: &Arc<ClientConfig>) -> (CipherSuite, HandshakeKind) {
    let (near, far) = duplex(1 << 16);
    let connector = TlsConnector::from(client.clone());
    let (accepted, connected) =
        tokio::join!(accept(far, server.clone()), connector.connect(ServerName::try_from("a").unwrap(), near));
    let (mut stream, mut client) = (accepted.unwrap().0, connected.unwrap());
    // Tickets go with the first answer.
    stream.write_all(b"hola").await.unwrap();
    stream.shutdown().await.unwrap();
    client.read_to_end(&mut Vec::new()).await.unwrap();
    let tls = client.get_ref().1;
    (tls.negotiated_cipher_suite().unwrap().suite(), tls.handshake_kind().unwrap())
}

#[tokio::test]
async fn aes_128_is_preferred_but_to_the_chacha_of_who_names_that_first() {
    let (aes_256, aes_128, chacha) = (tls::SUITES[1], tls::SUITES[0], tls::SUITES[2]);
    let (ec_256, ec_128, ec_chacha) = (tls::SUITES[4], tls::SUITES[3], tls::SUITES[5]);
    for (suites, chosen) in [
        (vec![aes_256, aes_128, chacha], aes_128),
        (vec![aes_128, aes_256, chacha], aes_128),
        (vec![aes_256, chacha, aes_128], aes_128),
        (vec![chacha, aes_256, aes_128], chacha),
        (vec![chacha, aes_128], chacha),
        (vec![chacha], chacha),
        (vec![aes_256], aes_256),
        (vec![aes_256, chacha], aes_256),
        (vec![ec_256, ec_128, ec_chacha], ec_128),
        (vec![ec_chacha, ec_256, ec_128], ec_chacha),
        (vec![ec_256], ec_256),
    ] {
        let (server, client) =
            configs(CryptoProvider { cipher_suites: suites.clone(), ..aws_lc_rs::default_provider() });
        let client = Arc::new(client);
        assert_eq!(agreed(&server, &client).await, (chosen.suite(), HandshakeKind::Full), "{suites:?}");
        for _ in 0..2 {
            assert_eq!(agreed(&server, &client).await, (chosen.suite(), HandshakeKind::Resumed), "{suites:?}");
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
    client.get_mut().1.writer().write_all(b"hola").unwrap();
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

/// What comes in one flight with the end of the handshake, in crumbs and all at once: what the server reads of it, and what the
/// client reads of its answer, until close_notify.
async fn with_the_end(more: impl Fn(&mut ClientConnection)) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (server, client) = configs(aws_lc_rs::default_provider());
    let (client, mut all) = (Arc::new(client), Vec::new());
    // Both sides may be writing, the client six bytes that say nothing (RFC 8446, D.4).
    for room in [8, 1 << 20] {
        let (mut near, far) = duplex(room);
        let mut client = ClientConnection::new(client.clone(), ServerName::try_from("a").unwrap()).unwrap();
        let asking = async {
            let (mut read, mut is_said) = (Vec::new(), false);
            loop {
                if !client.is_handshaking() && !is_said {
                    more(&mut client);
                    is_said = true;
                }
                let mut goes = Vec::new();
                while client.wants_write() {
                    client.write_tls(&mut goes).unwrap();
                }
                near.write_all(&goes).await.unwrap();
                let mut came = [0; 4096];
                let len = near.read(&mut came).await.unwrap();
                assert!(len > 0, "cut off");
                client.read_tls(&mut &came[..len]).unwrap();
                let state = client.process_new_packets().unwrap();
                let begin = read.len();
                read.resize(begin + state.plaintext_bytes_to_read(), 0);
                client.reader().read_exact(&mut read[begin..]).unwrap();
                if state.peer_has_closed() {
                    return read;
                }
            }
        };
        let serving = async {
            let (mut stream, _) = accept(far, server.clone()).await.unwrap();
            let mut read = Vec::new();
            stream.read_to_end(&mut read).await.unwrap();
            stream.write_all(b"adios").await.unwrap();
            stream.shutdown().await.unwrap();
            read
        };
        all.push(tokio::join!(serving, asking));
    }
    all
}

#[tokio::test]
async fn what_comes_with_the_end_of_the_handshake_is_ours_like_all_that_follows() {
    let (hello, goodbye) = (b"hola".to_vec(), b"adios".to_vec());
    let said = [(hello.clone(), goodbye.clone()), (hello, goodbye.clone())];
    let data = |client: &mut ClientConnection| {
        client.writer().write_all(b"hola").unwrap();
        client.send_close_notify();
    };
    assert_eq!(with_the_end(data).await, said);
    // A client may have new keys as soon as it has finished, and ask for ours (RFC 8446, 4.6.3).
    let renewed = |client: &mut ClientConnection| {
        client.refresh_traffic_keys().unwrap();
        data(client);
    };
    assert_eq!(with_the_end(renewed).await, said);
    let twice = |client: &mut ClientConnection| {
        client.writer().write_all(b"ho").unwrap();
        client.refresh_traffic_keys().unwrap();
        client.writer().write_all(b"l").unwrap();
        client.refresh_traffic_keys().unwrap();
        client.writer().write_all(b"a").unwrap();
        client.send_close_notify();
    };
    assert_eq!(with_the_end(twice).await, said);
    let silent = |client: &mut ClientConnection| client.send_close_notify();
    assert_eq!(with_the_end(silent).await, [(vec![], goodbye.clone()), (vec![], goodbye)]);
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
