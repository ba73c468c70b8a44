//! Places that answer badly, by what readers and checks see of them.

use super::*;

use std::sync::OnceLock;

use crate::proxy::upstream::{Check, Checks};
use crate::record::Metrics;

/// Answers as long as it is asked.
const HONEST: &[Act] = &[Hear(0), Say(OK), Hear(0), Say(OK), Hear(0), Say(OK), Hear(0), Say(OK), Stall];
/// The same, each on a connection of its own.
const ONCE: &[Act] = &[Hear(0), Say(OK)];
const BROKEN: &[Act] = &[Hear(0), Say("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")];

/// What the metrics say, and whether they do.
fn says(metrics: &Metrics, line: &str) -> bool {
    metrics.text().lines().any(|one| one == line)
}

/// Of a place's checks.
fn up(place: SocketAddr, value: u8) -> String {
    format!("difusor_origin_up{{upstream=\"test\",place=\"{place}\"}} {value}")
}

async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_place_that_answers_badly_is_left_out() {
    let cases: [(&[Act], usize); 6] = [
        (&[Hear(0)], 3),
        (&[Hear(0), Say("que?\r\n\r\n")], 3),
        (&[Hear(0), Say("HTTP/1.1 2")], 3),
        (&[Hear(0), Say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbien")], 3),
        (&[Hear(0), Say("HTTP/1.1 200 OK\r\nx: "), Flood("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy")], 3),
        (BROKEN, 6),
    ];
    for (script, most) in cases {
        let (bad, good) = (Scripted::start(&[script]).await, Scripted::start(&[ONCE]).await);
        let metrics = Arc::default();
        let upstream = Upstream::new(plan(&[bad.address, good.address]), &metrics);
        for _ in 0..3 * most {
            let _ = fetch(&upstream).await;
        }
        assert_eq!(bad.heard().len(), most, "{most} of {}", 3 * most);
        let ejections = format!("difusor_origin_ejections_total{{upstream=\"test\",place=\"{}\"}} 1", bad.address);
        assert!(says(&metrics, &ejections), "{}", metrics.text());
    }
}

#[tokio::test]
async fn a_place_that_does_not_answer_in_time_is_left_out() {
    let (bad, good) = (Scripted::start(&[&[Hear(0), Stall]]).await, Scripted::start(&[ONCE]).await);
    for plan in [
        Plan { first_byte: NEAR * 10, ..plan(&[bad.address, good.address]) },
        Plan { total: NEAR * 10, ..plan(&[bad.address, good.address]) },
    ] {
        let (upstream, before) = (of(plan), bad.heard().len());
        for _ in 0..9 {
            let _ = fetch(&upstream).await;
        }
        assert_eq!(bad.heard().len() - before, 3);
    }
}

#[tokio::test]
async fn a_place_alone_is_asked_whatever_it_answers() {
    let bad = Scripted::start(&[&[Hear(0)]]).await;
    let upstream = of(bad.plan());
    for _ in 0..8 {
        assert_eq!(fetch(&upstream).await, Err(Failure::Reset));
    }
    assert_eq!(bad.connections(), 8);
}

#[tokio::test]
async fn what_is_usual_or_the_clients_fault_is_not_held_against_it() {
    // Idle connections end, and clients break off.
    let origin = Scripted::start(&[&[Hear(0), Say(OK), Hear(0)]]).await;
    let other = Scripted::start(&[HONEST]).await;
    let metrics = Arc::default();
    let upstream = Upstream::new(plan(&[origin.address, other.address]), &metrics);
    for _ in 0..30 {
        assert_eq!(fetch(&upstream).await.unwrap(), "bien");
        settled(&upstream).await;
    }
    assert!(!metrics.text().contains("difusor_origin_ejections_total{"), "{}", metrics.text());
}

#[tokio::test]
async fn checks_take_a_place_out_of_use_and_back() {
    // Three times broken, then well.
    let sick = Scripted::start(&[BROKEN, BROKEN, BROKEN, ONCE]).await;
    let well = Scripted::start(&[ONCE]).await;
    let metrics = Arc::default();
    let every = Duration::from_millis(250);
    let health = Some(Check { target: "/salud?x".parse().unwrap(), every });
    let host = HostOut::Named("elecciones.example".into());
    let checked = Plan { health, host, ..plan(&[sick.address, well.address]) };
    let upstreams = [Upstream::new(checked, &metrics)];
    let checks = Checks::start(&upstreams).unwrap().expect("somebody is checked");
    until(|| says(&metrics, &up(sick.address, 0))).await;
    assert!(sick.connections() >= 3 && says(&metrics, &up(well.address, 1)), "{}", metrics.text());
    until(|| says(&metrics, &up(sick.address, 1))).await;
    assert!(sick.connections() >= 5);
    let asked = "GET /salud?x HTTP/1.1\r\nuser-agent: difusor/";
    assert!(sick.heard().iter().all(|head| head.starts_with(asked)), "{:?}", sick.heard());
    assert!(sick.heard()[0].contains("\r\nhost: elecciones.example\r\n"), "{:?}", sick.heard());
    checks.stop();
    let asked = (sick.connections(), well.connections());
    // More than a round: whoever was still asked has been heard of by then.
    tokio::time::timeout(every * 3, std::future::pending::<()>()).await.unwrap_err();
    assert_eq!((sick.connections(), well.connections()), asked);
}

#[tokio::test]
async fn while_a_place_fails_its_checks_readers_go_elsewhere() {
    let sick = Scripted::start(&[BROKEN]).await;
    let well = Scripted::start(&[ONCE]).await;
    let metrics = Arc::default();
    let health = Some(Check { target: "/salud".parse().unwrap(), every: Duration::from_millis(250) });
    let upstreams = [Upstream::new(Plan { health, ..plan(&[sick.address, well.address]) }, &metrics)];
    let checks = Checks::start(&upstreams).unwrap().expect("somebody is checked");
    until(|| says(&metrics, &up(sick.address, 0))).await;
    for _ in 0..8 {
        assert_eq!(fetch(&upstreams[0]).await.unwrap(), "bien");
    }
    checks.stop();
    assert!(sick.heard().iter().all(|head| head.starts_with("GET /salud ")), "{:?}", sick.heard());
}

#[tokio::test]
async fn what_is_no_good_answer_to_a_check() {
    let long: &'static str = {
        static LONG: OnceLock<String> = OnceLock::new();
        LONG.get_or_init(|| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(65_536)))
    };
    let cases: [(&[Act], bool); 7] = [
        (&[Hear(0), Say("HTTP/1.1 204 No Content\r\n\r\n")], true),
        // More than is read, and then nothing.
        (&[Hear(0), Say(long), Stall], true),
        (&[Hear(0), Say("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")], false),
        (&[Hear(0), Say("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")], false),
        (&[Hear(0), Say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbien")], false),
        (&[Hear(0), Say("que?\r\n\r\n")], false),
        (&[Hear(0), Stall], false),
    ];
    for (script, is_well) in cases {
        let origin = Scripted::start(&[script]).await;
        let metrics = Arc::default();
        let health = Some(Check { target: "/".parse().unwrap(), every: NEAR * 5 });
        let upstreams = [Upstream::new(Plan { health, ..origin.plan() }, &metrics)];
        let checks = Checks::start(&upstreams).unwrap().expect("somebody is checked");
        // Four times asked: three have been judged.
        until(|| origin.heard().len() >= 4).await;
        assert!(says(&metrics, &up(origin.address, is_well.into())), "{}", metrics.text());
        checks.stop();
    }
}

#[tokio::test]
async fn without_a_path_nobody_is_checked() {
    let origin = Scripted::start(&[ONCE]).await;
    assert!(Checks::start(&[of(origin.plan())]).unwrap().is_none());
}
