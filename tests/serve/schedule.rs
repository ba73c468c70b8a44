//! `difusor schedule` and `serve --clock`: what the calendar says at any moment, and what a rehearsal may not do.

use std::fs;

use difusor::base::clock::Clock;

use crate::common::server::{Setup, until};
use crate::common::verbs::difusor;
use crate::common::{Tree, corte};

const WINDOW: &str = "opens = \"2024-06-02T18:30\"\ncloses = \"2024-06-09T23:59\"\nname = \"prep.eldiario.example\"";

#[test]
fn any_moment_is_told_with_its_reason_and_what_comes_next() {
    let setup = Setup::clear().window(WINDOW);
    setup.write();
    let at = |moment: &str, more: &[&str]| {
        let args = [&["schedule", "--config", "difusor.toml", "--at", moment], more].concat();
        let said = difusor(setup.dir.path(), &args);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{moment}");
        said.out
    };
    let before = at("2024-06-02T18:29:59-06:00", &[]);
    for words in
        ["before the opening (previo)", "next    Sun 2024-06-02 18:30:00, in 1s: open, waiting", "America/Monterrey"]
    {
        assert!(before.contains(words), "{words} not in {before}");
    }
    let midway = at("2024-06-02T18:28:29.250-06:00", &[]);
    assert!(midway.contains("in 1m 30s: open"), "a moment is given to the second: {midway}");
    for (moment, state, next) in [
        ("2024-06-02T18:29:59-06:00", "previo", "2024-06-02T18:30:00-06:00"),
        ("2024-06-03T00:30:00Z", "en-espera", "2024-06-02T19:01:00-06:00"),
        ("2024-06-02T19:01:00-06:00", "interrumpido", "2024-06-09T23:59:00-06:00"),
        ("2024-06-09T23:59:00-06:00", "cerrado", ""),
    ] {
        let told: serde_json::Value = serde_json::from_str(&at(moment, &["--json"])).unwrap();
        assert_eq!(
            (told["state"].as_str(), told["next"].as_str().unwrap_or_default()),
            (Some(state), next),
            "{moment}"
        );
    }
    let wrong = difusor(setup.dir.path(), &["schedule", "--at", "mañana"]);
    assert!(wrong.code == 2 && wrong.err.contains("2026-06-07T18:29:59-06:00"), "{}", wrong.err);
}

#[test]
fn peoples_calendars_can_read_it() {
    let setup = Setup::clear().window(WINDOW);
    setup.write();
    let said = difusor(setup.dir.path(), &["schedule", "--ics"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.lines().all(|line| line.len() <= 75)
            && said.out.split('\n').all(|l| l.is_empty() || l.ends_with('\r'))
    );
    for line in
        ["BEGIN:VCALENDAR", "DTSTART:20240603T003000Z", "DTEND:20240604T003000Z", "URL:https://prep.eldiario.example/"]
    {
        assert!(said.out.lines().any(|other| other == line), "{line} not in {}", said.out);
    }
    let count = |line: &str| said.out.lines().filter(|other| *other == line).count();
    assert_eq!((count("BEGIN:VEVENT"), count("END:VEVENT"), count("BEGIN:VALARM")), (2, 2, 2));
}

#[test]
fn a_rehearsal_is_never_taken_for_the_night() {
    let setup = Setup::clear().window(WINDOW);
    setup.write();
    let clock = ["serve", "--clock", "2024-06-02T18:25:00-06:00"];
    let refused = difusor(setup.dir.path(), &clock);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("prep.eldiario.example") && refused.err.contains("window.name"), "{}", refused.err);
    assert!(!setup.dir.path().join("state").exists(), "nothing was begun");
    let rate = difusor(setup.dir.path(), &["serve", "--clock-rate", "10"]);
    assert!(rate.code == 2 && rate.err.contains("--clock"), "{}", rate.err);
    // Without the name it runs, says what it is, and leaves the real vault alone.
    let window = WINDOW.split("\nname").next().unwrap();
    let site = Setup::clear().window(window).clock("2024-06-02T18:35:00-06:00", 1).start();
    site.log_line(&["SIMULACRO"]);
    site.deliver("a", &Tree::of(&corte("20240602_1830"), &[("index.html", b"<p>hola")]));
    site.live("20240602_1830");
    assert_eq!(site.get("/").field("corte-tipo"), Some("simulacro"));
    let page = String::from_utf8(site.get("/nada").body.to_vec()).unwrap();
    assert!(page.contains("SIMULACRO"), "{page}");
    let kept = || fs::read_dir(site.path("state/ensayo/vault")).is_ok().then_some(());
    assert!(until(kept).is_some() && !site.path("state/vault").exists());
    let held = difusor(site.dir.path(), &["hold", "--reason", "prueba"]);
    assert_eq!(held.code, 0, "{}", held.err);
}

#[test]
fn a_moment_that_is_past_has_the_corte_that_was_shown_then() {
    let site = Setup::clear().start();
    let schedule = |at: Option<&str>| {
        let at: Vec<&str> = at.into_iter().flat_map(|at| ["--at", at]).collect();
        let said = difusor(site.dir.path(), &[&["schedule", "--config", "difusor.toml"], &at[..]].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        said.out.lines().find(|line| line.starts_with("corte")).map(str::to_owned)
    };
    let before = Clock::machine().now().to_string();
    assert_eq!(schedule(None), None);
    let deliver = |id: &str| {
        site.deliver(id, &Tree::of(&corte(id), &[("index.html", id.as_bytes())]));
        site.live(id);
    };
    deliver("20240602_1830");
    let between = Clock::machine().now().to_string();
    deliver("20240602_1840");
    let now = schedule(None).unwrap();
    assert!(now.ends_with("18:40:00"), "{now}");
    let then = schedule(Some(&between)).expect("a corte was shown then");
    assert!(then.ends_with("18:30:00"), "{then}");
    assert_eq!(schedule(Some(&before)), None);
}
