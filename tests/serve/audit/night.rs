//! Before the opening, while transmission is interrupted, and as the night goes on.

use std::fs;

use difusor::base::clock::Clock;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, ZonedDateTime};

use super::{BAD, GOOD, ID, NAME, NO_RESULTS, audit, names, package, with};
use crate::common::server::Setup;
use crate::common::tamper::{Tamper, drop_field, set};
use crate::common::wire::Response;

/// In the offset in which the tests' cortes are.
fn hours_ago(hours: i64) -> ZonedDateTime {
    let at = Clock::machine().now() - SignedDuration::from_hours(hours);
    at.to_zoned_datetime(TimeZone::fixed(Offset::constant(-6)))
}

/// A window that has been open for two hours.
fn tonight() -> String {
    let shown = |at: ZonedDateTime| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    format!("opens = \"{}\"\ncloses = \"{}\"", shown(hours_ago(2)), shown(hours_ago(-24)))
}

#[test]
fn before_the_opening_nothing_may_leak() {
    let site = Setup::clear().window("opens = \"2099-06-07T18:30\"\ncloses = \"2099-06-08T18:30\"").start();
    let url = format!("http://{}", site.http());
    let (said, json) = audit(&site, &url, &[]);
    assert_eq!((said.code, with(&json, "FAULT")), (NO_RESULTS, vec![]));
    assert_eq!((json["verdict"].as_str(), json["state"].as_str()), (Some("no-results"), Some("previo")));
    assert!(names(&json, "OK").contains(&"embargo".into()));
    type Leak = (&'static str, fn(&mut Response));
    let leaks: [Leak; 4] = [
        ("a tag", |response| set(response, "etag", "\"x\"")),
        ("a corte", |response| set(response, "corte", ID)),
        ("no retry", |response| drop_field(response, "retry-after")),
        ("results", |response| response.head = response.head.replacen("503 Service Unavailable", "200 OK", 1)),
    ];
    for (leak, change) in leaks {
        for path in ["/", "/.prep/SHA256SUMS"] {
            let tamper = Tamper::start(site.http(), move |heard, response| {
                if heard.target() == path {
                    change(response);
                }
            });
            let (said, json) = audit(&site, &tamper.url(), &[]);
            let found = names(&json, "FAULT");
            assert!(said.code == BAD && found.contains(&"embargo".into()), "{leak} {path}: {json}");
        }
    }
}

#[test]
fn while_transmission_is_interrupted_there_are_no_results() {
    let site = Setup::clear().window(&tonight()).start();
    let id = &hours_ago(1).strftime("%Y%m%d_%H%M").to_string();
    site.deliver("p.tar", &package(id));
    site.live_or_interrupted(id);
    let (said, json) = audit(&site, &format!("http://{}", site.http()), &[]);
    assert_eq!((said.code, with(&json, "FAULT")), (NO_RESULTS, vec![]));
    assert_eq!((json["state"].as_str(), json["corte"].as_str()), (Some("interrumpido"), Some(&**id)));
    assert!(names(&json, "OK").contains(&"notice".into()));
    // Somebody shows the last results all the same.
    let tamper = Tamper::start(site.http(), |heard, response| {
        if heard.target() == "/" {
            response.head = response.head.replacen("503 Service Unavailable", "200 OK", 1);
        }
    });
    let (said, json) = audit(&site, &tamper.url(), &[]);
    assert!(said.code == BAD && names(&json, "FAULT").contains(&"notice".into()), "{json}");
    // Or says nothing of which was the last.
    let tamper = Tamper::start(site.http(), |_, response| drop_field(response, "corte"));
    let (said, json) = audit(&site, &tamper.url(), &[]);
    assert!(said.code == BAD && names(&json, "FAULT").contains(&"notice".into()), "{json}");
}

#[test]
fn a_corte_of_now_is_current() {
    let site = Setup::clear().window(&tonight()).start();
    let id = hours_ago(0).strftime("%Y%m%d_%H%M").to_string();
    site.deliver("p.tar", &package(&id));
    site.live(&id);
    let url = format!("http://{}", site.http());
    let (said, json) = audit(&site, &url, &[]);
    assert_eq!((said.code, with(&json, "FAULT"), json["state"].as_str()), (GOOD, vec![], Some("vigente")));
    assert!(json["age_s"].as_i64().unwrap() < 660, "{json}");
}

#[test]
fn a_certificate_that_ends_before_the_close_is_told_in_time() {
    let setup = Setup::both(&[NAME]).window(&tonight());
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new([NAME.to_owned()]).unwrap();
    // Midnight (UTC): within the 24 hours that the window still lasts.
    let end = Clock::machine().now().to_zoned_datetime(TimeZone::UTC).date().tomorrow().unwrap();
    let (month, day) = (u8::try_from(end.month()).unwrap(), u8::try_from(end.day()).unwrap());
    params.not_after = rcgen::date_time_ymd(end.year().into(), month, day);
    let certificate = params.self_signed(&key).unwrap();
    fs::write(setup.dir.path().join("localhost.pem"), certificate.pem()).unwrap();
    fs::write(setup.dir.path().join("localhost.key"), key.serialize_pem()).unwrap();
    let site = setup.start();
    let id = hours_ago(0).strftime("%Y%m%d_%H%M").to_string();
    site.deliver("p.tar", &package(&id));
    site.live(&id);
    let url = format!("https://{NAME}:{}", site.https().port());
    let (said, json) = audit(&site, &url, &["--ca", "localhost.pem"]);
    let warned = with(&json, "WARN");
    assert_eq!((said.code, with(&json, "FAULT"), warned.len()), (GOOD, vec![], 1), "{json}");
    assert!(warned[0].0 == "certificate" && warned[0].1.contains(&end.to_string()), "{warned:?}");
}
