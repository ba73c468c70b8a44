//! `difusor schedule`: what the public is shown, now and at moments that are past.

use difusor::base::clock::Clock;

use crate::common::server::Setup;
use crate::common::verbs::difusor;
use crate::common::{Tree, corte};

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
