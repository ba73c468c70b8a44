//! An origin whose certificate is not one that can be believed.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;

use super::{HEAD, LIMITS, is_told, say};
use crate::common::origin::Origin;
use crate::common::server::Setup;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// For this name, in these years.
fn origin(by: &Issuer, name: &str, (from, to): (i32, i32)) -> Origin {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    Origin::with_tls(Arc::new(config), |_, to| say(to, format!("{HEAD}Content-Length: 5\r\n\r\nhola!")))
}

#[test]
fn a_certificate_that_cannot_be_believed() {
    let (known, other) = (authority(), authority());
    let years = (2020, 2090);
    for (what, by, name, years, is_good) in [
        ("good", &known, "127.0.0.1", years, true),
        ("another name", &known, "otro.example", years, false),
        ("expired", &known, "127.0.0.1", (2020, 2021), false),
        ("not yet valid", &known, "127.0.0.1", (2089, 2090), false),
        ("an unknown authority", &other, "127.0.0.1", years, false),
    ] {
        let origin = origin(by, name, years);
        let setup = Setup::clear();
        std::fs::write(setup.dir.path().join("raiz.pem"), known.pem()).unwrap();
        let upstream = format!("ca = \"raiz.pem\"\n{LIMITS}");
        let site = setup.origin_at(&format!("https://{}", origin.address), &upstream, "path = \"/c\"").start();
        if is_good {
            assert_eq!(site.get("/c/x").body, b"hola!", "{what}");
            continue;
        }
        is_told(&site, "/c/x", "", (502, "certificate"));
        site.log_line(&["the origin gave no answer", "certificate"]);
        assert!(origin.heard().is_empty(), "{what}: it was told what is asked for");
    }
}
