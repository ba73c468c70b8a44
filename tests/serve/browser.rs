//! A whole night in a real browser, in a newspaper's page: the real binary on a fast clock, framed from another origin.
//! Screenshots stay in `target/screenshots`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::origin::{Origin, answer};
use crate::common::server::{Setup, Site};
use crate::common::webdriver::Browser;
use crate::common::{Tree, corte};
use crate::interrupted::due;

/// Seconds of the night in one of ours: an interval takes six.
const RATE: u32 = 100;
/// The publication within the embed.
const INNER: &str = "document.querySelector('main > iframe').contentWindow.document";

fn package(id: &str) -> Tree {
    let page = format!(
        "<!doctype html><html lang=es><title>PREP</title><body data-corte=\"{id}\"><h1>Resultados preliminares</h1>\
         <p>Corte {id}</p><table><tr><td>Partido A<td>12,345<tr><td>Partido B<td>11,222</table>"
    );
    Tree::of(&corte(id), &[("index.html", page.as_bytes()), ("datos/total.json", b"{\"votos\":23567}")])
}

/// A newspaper's page with one line of ours.
fn newspaper(site: &Site) -> Origin {
    let port = site.http().port();
    Origin::start(move |_, to| {
        let page = format!(
            "<!doctype html><html lang=es><title>El Diario</title><h1>El Diario</h1>\
             <script src=\"http://prep.test:{port}/.prep/embed.js\" async></script>"
        );
        answer(to, "200 OK", "Content-Type: text/html\r\n", Some(page.len()), page.as_bytes());
    })
}

/// The page as it is now, in three widths, light and dark.
fn look(browser: &Browser, name: &str) {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    fs::create_dir_all(&folder).unwrap();
    for width in [320, 768, 1440] {
        for scheme in ["light", "dark"] {
            browser.size(width, 720);
            browser.prefers(scheme);
            browser.screenshot(&folder.join(format!("{name}-{width}-{scheme}.png")));
            let fits = browser.run("return document.documentElement.scrollWidth <= innerWidth");
            assert_eq!(fits, true, "{name} is wider than {width} px");
        }
    }
    browser.size(800, 700);
}

#[test]
fn a_night_in_a_newspapers_page() {
    let Some(browser) = Browser::start() else { return };
    let setup =
        Setup::clear().with("difusor", "name = \"El Diario\"\nsupport = \"844 000 0000\"\ncolour = \"#12395b\"");
    let setup = setup.window("opens = \"2024-06-02T18:30\"\ncloses = \"2024-06-09T23:59\"");
    let site = setup.clock("2024-06-02T18:10:00-06:00", RATE).start();
    site.deliver("a", &package("20240602_1830"));
    let newspaper = newspaper(&site);
    browser.size(800, 700);
    browser.go(&format!("http://diario.test:{}/", newspaper.address.port()));
    browser.until("document.querySelector('iframe')");
    browser.frame(Some("iframe"));
    let corte_is = |text: &str| format!("document.getElementById('corte').textContent.includes('{text}')");
    let inner_is = |id: &str| format!("{INNER}.body && {INNER}.body.dataset.corte === '{id}'");
    // The countdown gives way to results at the second.
    browser.until(&format!("{INNER}.getElementById('count')"));
    browser.until(&inner_is("20240602_1830"));
    browser.until(&corte_is("18:30 horas"));
    browser.until("document.documentElement.classList.contains('is-drill')");
    // Half an hour of silence: the notice; and with the next corte, results.
    browser.until("document.getElementById('state').textContent.startsWith('Corte atrasado')");
    browser.until(&format!("{INNER}.body && {INNER}.body.innerText.includes('interrumpida')"));
    browser.until("document.getElementById('state').textContent.startsWith('Transmisión interrumpida')");
    let next = due(&site, RATE);
    site.deliver("b", &package(&next));
    browser.until(&inner_is(&next));
    browser.until(&corte_is(&format!("{}:{} horas", &next[9..11], &next[11..])));
    let faults: Vec<String> =
        browser.log().into_iter().filter(|line| !line.contains("Failed to load resource")).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// A site whose clock stands so many minutes after (or before) the opening, and goes as ours.
fn at_minute(clock: &str) -> Site {
    let setup = Setup::clear().with("difusor", "name = \"El Diario de Saltillo\"\nsupport = \"844 000 0000\"");
    let setup = setup.window("opens = \"2024-06-02T18:30\"\ncloses = \"2024-06-09T23:59\"\nclosed = \"page\"");
    setup.clock(clock, 1).start()
}

#[test]
fn every_state_is_looked_at() {
    let Some(browser) = Browser::start() else { return };
    for (name, clock, stamp, state) in [
        ("countdown", "2024-06-02T17:10:00-06:00", Some("20240602_1700"), "previo"),
        ("waiting", "2024-06-02T18:31:00-06:00", None, "en-espera"),
        ("current", "2024-06-02T20:15:00-06:00", Some("20240602_2010"), "vigente"),
        ("late", "2024-06-02T20:25:00-06:00", Some("20240602_2010"), "atrasado"),
        ("interrupted", "2024-06-02T20:45:00-06:00", Some("20240602_2010"), "interrumpido"),
        ("final", "2024-06-03T20:45:00-06:00", Some("20240603_1830"), "final"),
        ("closed", "2024-06-10T20:45:00-06:00", Some("20240603_1830"), "cerrado"),
    ] {
        let site = at_minute(clock);
        if let Some(stamp) = stamp {
            site.deliver("a", &package(stamp));
            site.log_line(&[" live ", stamp]);
        }
        let shown = site.get("/");
        assert_eq!(shown.field("corte-estado"), Some(state), "{name}: {}", shown.head);
        browser.go(&format!("http://{}/.prep/embed", site.http()));
        browser.until(&format!("{INNER}.readyState === 'complete'"));
        look(&browser, &format!("embed-{name}"));
        if shown.status != 200 {
            browser.go(&format!("http://{}/", site.http()));
            look(&browser, &format!("page-{name}"));
        }
        if let Some(faults) = browser.accessibility_faults() {
            assert!(faults.is_empty(), "{name}: {faults:#?}");
        }
        let faults: Vec<String> =
            browser.log().into_iter().filter(|line| !line.contains("Failed to load resource")).collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }
}
