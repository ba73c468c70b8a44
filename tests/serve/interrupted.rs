//! A night on a fast clock: current, late, the notice after three periods, and back by itself or by an operator.

use crate::common::server::{Setup, Site, until};
use crate::common::verbs::difusor;
use crate::common::wire::Response;
use crate::common::{Tree, corte};

/// Seconds of the night in one of ours: half an hour takes nine; faster, a second of ours is longer than a stamp may lie
/// ahead.
const RATE: u32 = 200;

fn night(lines: &str) -> Site {
    let window = format!("opens = \"2024-06-02T18:30\"\ncloses = \"2024-06-09T23:59\"\n{lines}");
    let setup = Setup::clear().with("difusor", "name = \"El Ensayo\"\nsupport = \"844 000 0000\"");
    setup.window(&window).clock("2024-06-02T18:25:00-06:00", RATE).start()
}

fn package(id: &str) -> Tree {
    Tree::of(&corte(id), &[("index.html", format!("<h1>{id}").as_bytes()), ("datos/total.json", b"{}")])
}

/// Waits until the state is this one.
fn state(site: &Site, expected: &str) -> Response {
    let ask = || Some(site.get("/datos/total.json")).filter(|answer| answer.field("corte-estado") == Some(expected));
    until(ask).unwrap_or_else(|| panic!("never {expected}: {}", site.get("/datos/total.json").head))
}

/// The stamp of a corte that is just due, by the server's own clock.
pub fn due(site: &Site, rate: u32) -> String {
    let estado: serde_json::Value = serde_json::from_slice(&site.get("/.prep/estado.json").body).unwrap();
    let clock = &estado["reloj"];
    let printed: jiff::Timestamp = clock["eleccion"].as_str().unwrap().parse().unwrap();
    let now = difusor::base::clock::Clock::machine().now().as_second();
    let passed = (now - clock["maquina_s"].as_i64().unwrap()) * i64::from(rate);
    let at = printed + jiff::SignedDuration::from_secs(passed);
    at.to_zoned_datetime(jiff::tz::TimeZone::fixed(jiff::tz::offset(-6))).strftime("%Y%m%d_%H%M").to_string()
}

#[test]
fn three_periods_of_silence_are_told_and_over_with_the_next_corte() {
    let site = night("");
    assert_eq!(state(&site, "previo").field("corte"), None);
    site.deliver("a", &package("20240602_1830"));
    let current = state(&site, "vigente");
    assert_eq!((current.status, current.field("corte")), (200, Some("20240602_1830")));
    assert_eq!(current.field("corte-tipo"), Some("simulacro"), "the clock is not the real one");
    let late = state(&site, "atrasado");
    assert_eq!((late.status, late.field("corte")), (200, Some("20240602_1830")));
    // Every path, for people and for programs.
    let told = state(&site, "interrumpido");
    assert_eq!((told.status, told.field("content-type")), (503, Some("application/json")));
    for (path, accept, media) in [
        ("/", "text/html", "text/html; charset=utf-8"),
        ("/nada", "text/html", "text/html; charset=utf-8"),
        ("/", "application/json", "application/json"),
        ("/.prep/corte.json", "*/*", "application/json"),
        ("/.prep/SHA256SUMS", "*/*", "text/html; charset=utf-8"),
        ("/.prep/c/20240602_1830/", "*/*", "text/html; charset=utf-8"),
    ] {
        let mut talk = crate::common::wire::Talk::with(site.http());
        let answer = talk.get(path, &format!("Accept: {accept}\r\n"));
        assert_eq!((answer.status, answer.field("content-type")), (503, Some(media)), "{path} {accept}");
        assert_eq!(answer.field("vary"), Some("accept"));
        assert_eq!(answer.field("cache-control"), Some("no-cache"));
        assert!(answer.field("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()), "{path}");
        assert_eq!(answer.field("corte"), Some("20240602_1830"), "the last one, with its date and hour");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let date =
            if media == "application/json" { "2024-06-02T18:30:00-06:00" } else { "2 de junio de 2024, 18:30 horas" };
        for word in ["844 000 0000", date, "interrumpid"] {
            assert!(text.contains(word), "{path} {accept}: {word} not in {text}");
        }
    }
    let next = due(&site, RATE);
    site.deliver("b", &package(&next));
    let shown = || Some(site.get("/")).filter(|answer| answer.status == 200);
    let back = until(shown).expect("results again");
    assert_eq!(back.field("corte"), Some(next.as_str()));
    for line in [["E002", "critico"], ["E003", "aviso"]] {
        // It is written once it is shown.
        let journal = || std::fs::read_to_string(site.path("state/ensayo/incidents.jsonl")).unwrap();
        let is_there = || journal().lines().any(|entry| line.iter().all(|part| entry.contains(part)));
        assert!(until(|| is_there().then_some(())).is_some(), "{line:?}\n{}", journal());
    }
}

#[test]
fn operators_end_the_notice_and_say_what_is_final() {
    let site = night("");
    site.deliver("a", &package("20240602_1830"));
    state(&site, "interrumpido");
    let asked = |args: &[&str]| difusor(site.dir.path(), &[args, &["--reason", "lo dijo el instituto"]].concat());
    let said = asked(&["resume"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let back = state(&site, "atrasado");
    assert_eq!(back.status, 200);
    let journal = || std::fs::read_to_string(site.path("state/ensayo/incidents.jsonl")).unwrap();
    assert!(until(|| journal().contains("\"E003\"").then_some(())).is_some(), "{}", journal());
    let about = String::from_utf8(site.get("/.prep/corte.json").body.to_vec()).unwrap();
    assert!(about.contains("reanudacion") && about.contains("lo dijo el instituto"), "{about}");
    state(&site, "interrumpido");
    let said = asked(&["final"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let last = state(&site, "final");
    assert_eq!((last.status, last.field("corte")), (200, Some("20240602_1830")));
    let about = String::from_utf8(site.get("/.prep/corte.json").body.to_vec()).unwrap();
    assert!(about.contains("\"final\"") && !about.contains("reanudacion"), "{about}");
}

#[test]
fn a_banner_leaves_results_where_the_rules_allow_it() {
    let site = night("on_interrupted = \"banner\"");
    site.deliver("a", &package("20240602_1830"));
    let shown = state(&site, "interrumpido");
    assert_eq!((shown.status, shown.field("corte")), (200, Some("20240602_1830")));
    // Nobody who goes to a page overlooks it; frames and scripts get what they ask for.
    let mut talk = crate::common::wire::Talk::with(site.http());
    let page = talk.get("/index.html", "Sec-Fetch-Dest: document\r\n");
    assert_eq!((page.status, page.field("location")), (307, Some("/.prep/embed?ruta=/index.html")));
    assert_eq!(page.field("cache-control"), Some("no-cache"));
    // The frame reads the path once; what is encoded in it has to be so still.
    let page = talk.get("/Distrito%2001/100%25.html", "Sec-Fetch-Dest: document\r\n");
    assert_eq!(page.field("location"), Some("/.prep/embed?ruta=/Distrito%252001/100%2525.html"));
    // A cache would give the frame's page to those who go to it.
    let framed = talk.get("/index.html", "Sec-Fetch-Dest: iframe\r\n");
    assert_eq!((framed.status, framed.field("cache-control")), (200, Some("no-cache")));
    assert!(framed.field("last-modified").is_some());
    for (path, dest) in [("/index.html", "iframe"), ("/datos/total.json", "empty"), ("/.prep/embed", "document")] {
        assert_eq!(talk.get(path, &format!("Sec-Fetch-Dest: {dest}\r\n")).status, 200, "{path} {dest}");
    }
}

#[test]
fn without_any_corte_transmission_never_began() {
    let site = night("closed = \"page\"");
    let waiting = state(&site, "en-espera");
    assert_eq!((waiting.status, waiting.field("corte")), (503, None));
    let never = state(&site, "interrumpido");
    assert_eq!((never.status, never.field("corte")), (503, None));
}

#[test]
fn a_drill_is_for_its_own_window_and_ends_with_it() {
    let drill = "kind = \"simulacro\"\nopens = \"2024-06-02T18:30\"\ncloses = \"2024-06-02T19:30\"\nperiods = 100";
    let election = "opens = \"2024-06-02T20:00\"\ncloses = \"2024-06-09T23:59\"\nperiods = 100";
    let setup = Setup::clear().with("schedule", "countdown = \"10m\"").window(drill).window(election);
    let site = setup.clock("2024-06-02T18:31:00-06:00", RATE).start();
    let drilled = |id: &str| Tree::of(&corte(id).replace("oficial", "simulacro"), &[("datos/total.json", b"{}")]);
    site.deliver("drill", &drilled("20240602_1830"));
    site.deliver("early", &package("20240602_1820"));
    let shown = state(&site, "vigente");
    assert_eq!((shown.field("corte"), shown.field("corte-tipo")), (Some("20240602_1830"), Some("simulacro")));
    let over = state(&site, "cerrado");
    assert_eq!((over.status, over.field("corte")), (410, Some("20240602_1830")));
    let before = state(&site, "previo");
    assert_eq!((before.status, before.field("corte")), (503, None), "the drill is gone, the election has not begun");
    site.deliver("election", &package("20240602_1955"));
    let shown = state(&site, "vigente");
    assert_eq!((shown.status, shown.field("corte")), (200, Some("20240602_1955")));
    site.deliver("drill2", &drilled("20240602_2000"));
    site.log_line(&["refused", "drill2"]);
    assert_eq!(site.get("/datos/total.json").field("corte"), Some("20240602_1955"));
}
