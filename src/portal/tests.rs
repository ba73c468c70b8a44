//! All pages of ours, under every state.

use std::io::Write;
use std::process::{Command, Stdio};

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::sample;
use super::*;
use crate::base::digest::Digest;
use crate::corte::Tipo;
use crate::schedule::State;

/// The bar that everybody loads beside the results, uncompressed; about 5 KB compressed.
const EMBED_MAX_BYTES: usize = 12_800;
/// A notice is what everybody gets at once while there are no results.
const NOTICE_MAX_BYTES: usize = 10_240;

const DATE: &str = "7 de junio de 2026, 20:10 horas (UTC−6)";

/// Every page of HTML, with a name for whoever reads of a failure.
fn pages(told: &Told, brand: &Brand) -> Vec<(String, String)> {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let own = files(told, brand).into_iter().filter(|(name, _)| ["embed", "verificar"].contains(name));
    let own = own.map(|(name, bytes)| (name.to_owned(), text(&bytes)));
    own.chain(Notice::ALL.map(|notice| (format!("{notice:?}"), notice_page(notice, told, brand)))).collect()
}

/// What stands between the first `from` and the next `to`.
fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    text.split_once(from)?.1.split_once(to).map(|(inside, _)| inside)
}

#[test]
fn every_page_says_the_date_and_hour_of_the_corte() {
    for state in State::ALL {
        let told = sample::told(state);
        for (name, page) in pages(&told, &sample::brand()) {
            match told.corte() {
                Some(_) => assert!(page.contains(DATE), "{name}, {state:?}"),
                None => assert!(page.contains(words::NO_CORTE) && !page.contains(DATE), "{name}, {state:?}"),
            }
            assert!(page.contains("El Diario de Saltillo"), "{name}");
        }
    }
}

#[test]
fn nothing_names_a_corte_before_the_opening() {
    let told = Told { corte: sample::told(State::Current).corte, ..sample::told(State::Before) };
    let all = files(&told, &sample::brand()).into_iter().map(|(name, b)| (name.to_owned(), b.to_vec()));
    let notices = pages(&told, &sample::brand()).into_iter().map(|(name, page)| (name, page.into_bytes()));
    let json = Notice::ALL.map(|n| (n.token().to_owned(), notice_json(n, &told, &sample::brand()).into_bytes()));
    for (name, bytes) in all.chain(notices).chain(json) {
        let text = String::from_utf8_lossy(&bytes);
        for secret in ["20260607_2010", "20:10", "2026-06-07T20"] {
            assert!(!text.contains(secret), "{name} tells {secret}");
        }
    }
}

#[test]
fn a_drill_is_marked_on_every_page_and_nothing_else_is() {
    for state in State::ALL {
        let real = sample::told(state);
        let drill = Told { kind: Tipo::Simulacro, ..real.clone() };
        let shifted = Told { is_shifted: true, ..real.clone() };
        let marked =
            |page: &str| page.contains("<html lang=\"es-MX\" class=\"is-drill\"") && page.contains("SIMULACRO");
        for told in [drill, shifted] {
            for (name, page) in pages(&told, &sample::brand()) {
                assert!(marked(&page) && page.contains(words::DRILL_MEANS), "{name}, {state:?}");
            }
        }
        for (name, page) in pages(&real, &sample::brand()) {
            assert!(!marked(&page), "{name}, {state:?}");
            // The embed holds the mark ready: a window with results may follow a drill.
            assert!(name == "embed" || !page.contains("SIMULACRO"), "{name}, {state:?}");
        }
    }
}

#[test]
fn the_policy_allows_the_style_and_script_that_are_there() {
    for state in State::ALL {
        for (name, page) in pages(&sample::told(state), &sample::brand()) {
            let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"").unwrap();
            assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{name}");
            let hash =
                |text: &str| format!("'sha256-{}'", Base64::encode_string(Digest::of(text.as_bytes()).as_bytes()));
            let style = hash(between(&page, "<style>", "</style>").unwrap());
            assert!(policy.contains(&format!("style-src {style};")), "{name}");
            match between(&page, "<script>", "</script>") {
                Some(script) => assert!(policy.contains(&format!("script-src {};", hash(script))), "{name}"),
                None => assert!(!policy.contains("script-src"), "{name}"),
            }
            assert_eq!(
                page.matches("<script>").count() + page.matches("<style>").count(),
                policy.matches("sha256-").count()
            );
            assert!(!page.contains(" style=\"") && !page.contains(" onclick"), "{name}: not allowed by the policy");
            assert!(!page.contains("{{") && !page.contains("src=\"http"), "{name}");
        }
    }
}

#[test]
fn pages_are_small() {
    let logo = Some(("image/png", Bytes::from_static(b"\x89PNG\r\n\x1a\n")));
    for state in State::ALL {
        for (name, page) in pages(&sample::told(state), &Brand { logo: logo.clone(), ..sample::brand() }) {
            let most = match name.as_str() {
                "embed" => EMBED_MAX_BYTES,
                // Read by few.
                "verificar" => continue,
                _ => NOTICE_MAX_BYTES,
            };
            assert!(page.len() <= most, "{name}, {state:?}: {} bytes", page.len());
        }
    }
}

#[test]
fn the_countdown_is_there_without_a_script() {
    let page = notice_page(Notice::NotOpenYet, &sample::told(State::Before), &sample::brand());
    let count = between(&page, "id=\"count\"", "</p>").unwrap();
    for part in ["2<small>&nbsp;h<", "12<small>&nbsp;min<", "30<small>&nbsp;s<"] {
        assert!(count.contains(part), "{part}: {count}");
    }
    assert!(page.contains("7 de junio de 2026, 18:30 horas (UTC−6)"));
}

#[test]
fn an_interruption_says_since_when_and_whom_to_ask() {
    let page = notice_page(Notice::Interrupted, &sample::told(State::Interrupted), &sample::brand());
    assert!(page.contains("interrumpida desde las 20:42 horas"));
    assert!(page.contains("844 123 4567"));
}

#[test]
fn errors_lead_to_results_only_where_there_are_some() {
    let page = |state| notice_page(Notice::NotFound, &sample::told(state), &sample::brand());
    assert!(page(State::Late).contains(words::SEE_RESULTS));
    assert!(!page(State::Waiting).contains(words::SEE_RESULTS) && page(State::Waiting).contains(words::FRONT_PAGE));
}

#[test]
fn the_logo_is_served_where_pages_look_for_it() {
    let brand = Brand { logo: Some(("image/svg+xml", Bytes::from_static(b"<svg/>"))), ..sample::brand() };
    let told = sample::told(State::Current);
    assert!(files(&told, &brand).contains(&("logo", Bytes::from_static(b"<svg/>"))));
    assert!(pages(&told, &brand).iter().all(|(_, page)| page.contains("<img src=\"/.prep/logo\"")));
    assert!(files(&told, &sample::brand()).iter().all(|(name, _)| *name != "logo"));
    assert!(pages(&told, &sample::brand()).iter().all(|(_, page)| !page.contains("/.prep/logo")));
}

/// Runs a script by node; what it prints. `None` where there is no node, which is told.
fn node(arguments: &[&str], script: &str) -> Option<String> {
    let command = Command::new("node")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut node) = command else {
        eprintln!("passed over: node is not installed");
        return None;
    };
    node.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let out = node.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(String::from_utf8(out.stdout).unwrap())
}

#[test]
fn scripts_are_valid() {
    let told = sample::told(State::Current);
    let snippet = files(&told, &sample::brand()).into_iter().find(|(name, _)| *name == "embed.js").unwrap().1;
    for (_, page) in pages(&told, &sample::brand()) {
        between(&page, "<script>", "</script>").and_then(|script| node(&["--check", "-"], script));
    }
    node(&["--check", "-"], str::from_utf8(&snippet).unwrap());
}

/// The least and the most of what a thousand browsers wait, in seconds, at a time of the election's clock.
fn waits(told: &Told, now: &str, tries: u32, misses: u32) -> Option<(f64, f64)> {
    let script = format!(
        "{}\nclock = {{ election: Date.parse('{now}'), local: Date.now(), pace: {} }};\nconst state = {};\n\
         const all = Array.from({{ length: 1000 }}, () => pause(state, {tries}, {misses}) / 1e3);\n\
         console.log(Math.min(...all), Math.max(...all));",
        looks::FOLLOW,
        told.printed.pace,
        estado_json(told, &sample::brand())
    );
    let printed = node(&["-"], &script)?;
    let (least, most) = printed.trim().split_once(' ').unwrap();
    Some((least.parse().unwrap(), most.parse().unwrap()))
}

#[test]
fn browsers_ask_when_there_may_be_something_and_not_all_at_once() {
    // The machine's clock goes on while a thousand are asked.
    const SLACK_S: f64 = 5.0;
    let check = |told: &Told, now, tries, misses, (least, most): (f64, f64)| {
        let Some(found) = waits(told, now, tries, misses) else { return };
        assert!(found.0 >= least - SLACK_S.min(least * 0.5) && found.1 <= most, "{now}: {found:?}");
        assert!(found.1 - found.0 >= (most - least) * 0.8, "{now}: {found:?} is not spread");
    };
    let current = sample::told(State::Current);
    // Due at 20:20: then, and up to 30 s later; every 15 s while it is overdue.
    check(&current, "2026-06-07T20:12:00-06:00", 0, 0, (480.0, 510.0));
    check(&current, "2026-06-07T20:21:00-06:00", 0, 0, (12.0, 18.0));
    // With cortes each minute the spread is 6 s, and so is the rhythm.
    let fast = Told { interval_s: 60, ..current.clone() };
    check(&fast, "2026-06-07T20:19:00-06:00", 0, 0, (60.0, 66.0));
    check(&fast, "2026-06-07T20:21:00-06:00", 0, 0, (4.8, 7.2));
    // A rehearsal at sixty times the pace: ten minutes are ten seconds.
    let paced = Told { printed: Printed { pace: 60.0, ..current.printed.clone() }, ..current.clone() };
    check(&paced, "2026-06-07T20:19:00-06:00", 0, 0, (1.0, 2.0));
    // Before the opening at 18:30: now and then, to the second when it comes, then each second and less and less often.
    let before = sample::told(State::Before);
    check(&before, "2026-06-07T16:00:00-06:00", 0, 0, (240.0, 360.0));
    check(&before, "2026-06-07T18:29:00-06:00", 0, 0, (60.0, 61.0));
    check(&before, "2026-06-07T18:30:01-06:00", 0, 0, (0.8, 1.2));
    check(&before, "2026-06-07T18:30:09-06:00", 20, 0, (12.0, 18.0));
    // Nothing is awaited; nobody answers.
    check(&sample::told(State::Final), "2026-06-07T23:00:00-06:00", 0, 0, (48.0, 72.0));
    check(&current, "2026-06-07T20:21:00-06:00", 0, 1, (4.0, 6.0));
    check(&current, "2026-06-07T20:21:00-06:00", 0, 30, (48.0, 72.0));
}

/// What markup consists of, outside the block of data.
fn skeleton(page: &str) -> (String, Vec<usize>) {
    let (before, rest) = page.split_once("<script type=\"application/json\" id=\"told\">").unwrap_or((page, ""));
    let (data, after) = rest.split_once("</script>").unwrap_or(("", rest));
    let count = |c| before.matches(c).count() + after.matches(c).count();
    (data.to_owned(), ['<', '>', '"', '\''].map(count).to_vec())
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[<>\"'&/=a-z{}!-]{0,24}",
        Just("</script><script>alert(1)</script>".to_owned()),
        Just("\"><img src=x onerror=alert(1)>".to_owned()),
        Just("{{SCRIPT}}".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_brand_breaks_out_of_where_it_stands(name in hostile(), support in hostile(), colour in hostile(), of in 0..7usize) {
        let told = sample::told(State::ALL[of]);
        let plain = Brand { name: Some("x".into()), support: Some("x".into()), ..Brand::default() };
        let brand = Brand {
            name: Some(name.clone()),
            support: Some(support.clone()),
            colour: Some(colour.clone()),
            on_colour: Some(colour),
            logo: None,
        };
        for ((page, ours), (_, theirs)) in pages(&told, &plain).into_iter().zip(pages(&told, &brand)) {
            let ((_, expected), (data, found)) = (skeleton(&ours), skeleton(&theirs));
            prop_assert_eq!(expected, found, "{}", page);
            prop_assert!(!data.contains('<'), "{}", page);
            if let Some(estado) = serde_json::from_str::<Value>(&data).ok().and_then(|mut v| v.get_mut("estado").map(Value::take)) {
                prop_assert_eq!(estado["difusor"].as_str(), Some(name.as_str()));
            }
        }
        let estado: Value = serde_json::from_str(&estado_json(&told, &brand)).unwrap();
        prop_assert_eq!(estado["soporte"].as_str(), Some(support.as_str()));
    }
}
