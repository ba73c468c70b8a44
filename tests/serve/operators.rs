//! What operators do on the machine itself: notify, rollback, hold, release, and the socket that they do it through.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::server::{Setup, Site, until};
use crate::common::verbs::{Said, difusor, difusor_with};
use crate::common::wire::curl;
use crate::common::{Tree, corte, tool};

const IDS: [&str; 3] = ["20240602_2010", "20240602_2020", "20240602_2030"];

fn package(id: &str) -> Tree {
    Tree::of(&corte(id), &[("index.html", id.as_bytes())])
}

fn ask(site: &Site, args: &[&str]) -> Said {
    difusor(site.dir.path(), args)
}

fn incidents(site: &Site) -> String {
    fs::read_to_string(site.path("state/incidents.jsonl")).unwrap_or_default()
}

#[test]
fn what_is_shown_is_held_released_and_rolled_back_and_all_of_it_is_written_down() {
    let site = Setup::clear().start();
    for id in &IDS[..2] {
        site.deliver(id, &package(id));
        site.live(id);
    }
    let held = ask(&site, &["hold", "--reason", "números en revisión"]);
    assert!(held.code == 0 && !held.out.trim().is_empty() && held.err.is_empty(), "{held:?}");
    site.deliver(IDS[2], &package(IDS[2]));
    site.log_line(&["kept and not shown", IDS[2]]);
    assert_eq!(site.get("/").field("corte"), Some(IDS[1]));
    assert_eq!(ask(&site, &["release", "--reason", "ya quedó"]).code, 0);
    site.live(IDS[2]);
    let back = ask(&site, &["rollback", IDS[0], "--reason", "el IEC lo pidió"]);
    assert_eq!(back.code, 0, "{}", back.err);
    assert_eq!(site.get("/").field("corte"), Some(IDS[0]));
    let text = incidents(&site);
    for part in ["A001", "A002", "A003", "números en revisión", "el IEC lo pidió", "uid "] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let unknown = ask(&site, &["rollback", "20240602_1900", "--reason", "x"]);
    assert!(unknown.code == 1 && unknown.err.contains("is not in the vault") && unknown.out.is_empty(), "{unknown:?}");
    for args in [&["rollback", "ayer", "--reason", "x"][..], &["hold"], &["hold", "--reason", "x", "--config", "none"]]
    {
        assert_eq!(ask(&site, args).code, 2, "{args:?}");
    }
}

#[test]
fn a_transfer_that_is_over_is_told_and_one_that_failed_is_not() {
    let mut site = Setup::clear().start();
    let socket = site.path("state/admin.sock");
    // The group, which rsyncd is in, may only notify.
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let said = ask(&site, &["notify", "--config", "difusor.toml"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    let ok = [("RSYNC_EXIT_STATUS", "0"), ("RSYNC_MODULE_NAME", "prep")];
    let said = difusor_with(site.dir.path(), &["notify"], &ok);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    assert_eq!(ask(&site, &["notify", "--config", "none"]).code, 2);
    site.terminate();
    assert_eq!(site.ended(), Some(0));
    assert!(!socket.exists(), "the socket goes away");
    // The transfer is not to blame where the service does not run.
    let said = ask(&site, &["notify"]);
    assert!(said.code == 0 && said.err.contains("is the service running"), "{said:?}");
    let failed = difusor_with(site.dir.path(), &["notify"], &[("RSYNC_EXIT_STATUS", "23")]);
    assert_eq!((failed.code, failed.err.as_str()), (0, ""));
    // Who wants something, though, has to know that nobody heard.
    assert_eq!(ask(&site, &["hold", "--reason", "x"]).code, 1);
}

#[test]
fn curl_reads_state_and_metrics_through_the_socket() {
    let Some(_) = tool("curl") else { return };
    let site = Setup::clear().start();
    site.deliver("a", &package(IDS[0]));
    site.deliver("spoilt.zip", &package(IDS[1]));
    site.live(IDS[1]);
    site.deliver("refused", &package(IDS[2]).with("sitio/index.html", "x"));
    site.log_line(&["WARN refused", "P063"]);
    let socket = site.path("state/admin.sock").display().to_string();
    let get = |path: &str| {
        let response = curl(&["--unix-socket", &socket, &format!("http://localhost{path}")]);
        assert_eq!(response.status, 200);
        String::from_utf8(response.body).unwrap()
    };
    let state: serde_json::Value = serde_json::from_str(&get("/state")).unwrap();
    assert_eq!(state["live"]["corte"], IDS[1]);
    let has_it = || get("/state").contains("P063").then_some(());
    until(has_it).expect("the journal is written beside the log");
    let text = get("/metrics");
    let stamp = text.lines().find_map(|line| line.strip_prefix("difusor_corte_stamp_seconds ")).unwrap();
    // 2024-06-02T20:20:00-06:00
    assert_eq!(stamp, "1717381200");
    assert!(text.contains("difusor_packages_total{outcome=\"refused\",code=\"P063\"} 1\n"), "{text}");
    assert!(text.lines().any(|l| l.starts_with("difusor_disk_free_bytes ") && !l.ends_with(" 0")), "{text}");
}
