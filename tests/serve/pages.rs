//! Our own pages in a real browser, before a publication that changes on command.

use difusor::base::clock::Monotonic;
use difusor::base::digest::Digest;
use difusor::schedule::State;
use jiff::{SignedDuration, ZonedDateTime};

use crate::common::webdriver::Browser;
use crate::publication::{Publication, now, second_corte};

/// The publication within our embed.
const INNER: &str = "document.querySelector('main > iframe').contentWindow";

/// Nothing that a page did was against its own policy, and no script failed.
fn assert_quiet(browser: &Browser) {
    let faults: Vec<String> =
        browser.log().into_iter().filter(|line| !line.contains("Failed to load resource")).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_embed_follows_the_cortes_and_keeps_the_place() {
    let Some(browser) = Browser::start() else { return };
    let (publication, origin) = Publication::start(State::Current);
    browser.size(320, 568);
    browser.go(&format!("http://{}/.prep/embed?ruta=/otra", origin.address));
    browser.until(&format!("{INNER}.document.body.dataset.corte === '20260607_2010'"));
    browser.run(&format!("window.mine = 1; {INNER}.scrollTo(0, 700); {INNER}.document.getElementById('otra').focus({{ preventScroll: true }})"));
    publication.change(second_corte);
    browser
        .until("document.getElementById('corte').textContent === 'Corte del 7 de junio de 2026, 20:20 horas (UTC−6)'");
    browser.until(&format!("{INNER}.document.body && {INNER}.document.body.dataset.corte === '20260607_2020'"));
    browser.until(&format!("{INNER}.scrollY === 700 && {INNER}.document.activeElement.id === 'otra'"));
    assert_eq!(
        browser.run(&format!("return [window.mine, {INNER}.location.pathname]")),
        serde_json::json!([1, "/otra"])
    );
    let live = browser.text("return document.getElementById('live').textContent");
    assert!(live.contains("20:20 horas"), "{live}");
    let bar = browser.run("return document.querySelector('.corte').getBoundingClientRect().bottom <= innerHeight && document.documentElement.scrollWidth <= 320");
    assert_eq!(bar, true, "the date and hour are in view at 320 px");

    publication.go(State::Interrupted);
    browser.until(&format!(
        "{INNER}.document.querySelector('h1') && {INNER}.document.body.innerText.includes('interrumpida')"
    ));
    browser.until("document.getElementById('state').textContent.startsWith('Transmisión interrumpida desde')");
    publication.go(State::Late);
    publication.change(|told| told.is_shifted = true);
    browser.until(&format!("{INNER}.document.body && {INNER}.document.body.dataset.corte === '20260607_2010'"));
    browser.until("document.documentElement.classList.contains('is-drill')");
    browser.until("document.getElementById('state').textContent.startsWith('Corte atrasado')");
    assert_quiet(&browser);
}

#[test]
fn the_embed_starts_at_a_path_of_its_own_site_only() {
    let Some(browser) = Browser::start() else { return };
    let (_publication, origin) = Publication::start(State::Current);
    let home = format!("http://{}/", origin.address);
    let others =
        ["//evil.test/", "/%5Cevil.test", "%5C%5Cevil.test", "https://evil.test", "/%09/evil.test", "javascript:0"];
    for other in others.into_iter().chain(["/.prep/embed?a", "/x/../.prep/embed", "otra"]) {
        browser.go(&format!("{home}.prep/embed?ruta={other}"));
        assert_eq!(browser.text("return document.querySelector('main > iframe').src"), home, "{other}");
    }
    browser.go(&format!("{home}.prep/embed?ruta=/.//evil.test"));
    let inside = browser.text("return document.querySelector('main > iframe').src");
    assert!(inside.starts_with(&home), "{inside}");
}

#[test]
fn without_scripts_the_embed_still_shows_corte_and_results() {
    let Some(browser) = Browser::start() else { return };
    let (_publication, origin) = Publication::start(State::Current);
    browser.scripts(false);
    browser.go(&format!("http://{}/.prep/embed", origin.address));
    browser.frame(Some("noscript iframe"));
    browser.find("body[data-corte='20260607_2010']");
    browser.frame(None);
    browser.find("#corte time[datetime='2026-06-07T20:10:00-06:00']");
}

/// Opens soon: what is loaded later than that counts no longer, and asks at once.
fn opens_soon(publication: &Publication) -> ZonedDateTime {
    let opens = now().checked_add(SignedDuration::from_secs(5)).unwrap();
    publication.change(|told| told.opens = opens.clone());
    opens
}

#[test]
fn the_countdown_turns_into_results() {
    let Some(browser) = Browser::start() else { return };
    let (publication, origin) = Publication::start(State::Before);
    browser.go(&format!("http://{}/", origin.address));
    let first = browser.text("return document.getElementById('count').textContent");
    browser.until(&format!("document.getElementById('count').textContent !== {first:?}"));
    let opens = opens_soon(&publication);
    browser.go(&format!("http://{}/", origin.address));
    browser.until("/^0\\ss\\s*$/.test(document.getElementById('count').textContent)");
    // It is five seconds away, less what the page cannot know of how long it was under way.
    assert!(now().timestamp() >= opens.timestamp() - SignedDuration::from_secs(3), "not much too early");
    publication.go(State::Current);
    browser.until("document.body.dataset.corte === '20260607_2010'");
    assert_quiet(&browser);
}

#[test]
fn the_embed_opens_by_itself() {
    let Some(browser) = Browser::start() else { return };
    let (publication, origin) = Publication::start(State::Before);
    opens_soon(&publication);
    browser.go(&format!("http://{}/.prep/embed", origin.address));
    browser.until("document.getElementById('corte').textContent === 'Todavía no se ha publicado ningún corte'");
    // The notice leaves bar and questions to the embed.
    browser.until(&format!("{INNER}.document.documentElement.className === 'is-embedded'"));
    browser.until(&format!("/^0\\ss\\s*$/.test({INNER}.document.getElementById('count').textContent)"));
    publication.go(State::Current);
    browser.until(&format!("{INNER}.document.body && {INNER}.document.body.dataset.corte === '20260607_2010'"));
    browser.until("document.getElementById('corte').textContent.startsWith('Corte del 7 de junio')");
    assert_quiet(&browser);
}

#[test]
fn notices_give_way_by_themselves() {
    let Some(browser) = Browser::start() else { return };
    let (publication, origin) = Publication::start(State::Waiting);
    browser.go(&format!("http://{}/otra", origin.address));
    browser.until("document.querySelector('h1').textContent === 'Aún no hay resultados'");
    for (state, sign) in [
        (State::Interrupted, "document.body.innerText.includes('interrumpida desde')"),
        (State::Late, "document.body.dataset.corte === '20260607_2010' && location.pathname === '/otra'"),
    ] {
        publication.go(state);
        browser.until(sign);
    }
    assert_quiet(&browser);
}

#[test]
fn a_page_that_a_cache_keeps_too_long_is_not_reloaded_in_a_circle() {
    let Some(browser) = Browser::start() else { return };
    let (_publication, origin) = Publication::start(State::Waiting);
    let stale = format!("http://{}/", origin.address);
    // The page and what is told of it never agree.
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", serde_json::json!({ "source": "
        const real = window.fetch;
        window.fetch = (...a) => real(...a).then(r => r.json().then(s => new Response(JSON.stringify({ ...s, corte: 'x' }), { headers: r.headers })));
    " }));
    let started = Monotonic::now();
    browser.go(&stale);
    browser.until("JSON.parse(sessionStorage.getItem('difusor-aviso') || '{}').times >= 2");
    let loads = origin.heard().iter().filter(|heard| heard.target() == "/").count();
    let s = started.elapsed().as_secs();
    assert!(loads <= 4, "{loads} times in {s} s");
}

#[test]
fn a_newspaper_shows_it_with_one_line() {
    let Some(browser) = Browser::start() else { return };
    let (publication, origin) = Publication::start(State::Current);
    browser.size(800, 600);
    browser.go(&format!("http://periodico.test:{}/periodico", origin.address.port()));
    browser.until("document.querySelector('iframe')");
    let between = browser.run("const f = document.querySelector('iframe'); return f.parentNode === document.body && f.title.includes('El Diario')");
    assert_eq!(between, true);
    // All of it is higher than what the window has room for: then it scrolls inside, and the bar stays.
    browser.until("document.querySelector('iframe').getBoundingClientRect().height === 540");
    browser.frame(Some("iframe"));
    browser.until(&format!(
        "{INNER}.document.body.dataset.corte === '20260607_2010' && {INNER}.location.pathname === '/otra'"
    ));
    browser.frame(None);
    publication.go(State::Closed);
    browser.until("document.querySelector('iframe').getBoundingClientRect().height < 540");
    assert_quiet(&browser);
}

#[test]
fn readers_check_the_files_in_their_own_browser() {
    let Some(browser) = Browser::start() else { return };
    let (publication, origin) = Publication::start(State::Final);
    // Loopback is a secure context, as HTTPS is; a plain name is not.
    browser.go(&format!("http://{}/.prep/verificar", origin.address));
    browser.until("!document.getElementById('tools').hidden");
    browser.click("#one button");
    browser.until("document.querySelector('#one-result .is-good')");
    let digest = Digest::of(publication.front_page().as_bytes()).to_string();
    assert_eq!(browser.text("return document.querySelector('#one-result').textContent").matches(&digest).count(), 2);
    browser.run("document.getElementById('path').value = location.origin + '/otra'");
    browser.click("#one button");
    browser.until("document.querySelector('#one-result .is-bad b').textContent.includes('Diferente')");
    browser.click("#all");
    browser.until("document.querySelector('#all-result li').textContent === 'sitio/otra'");
    let own = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(own.path(), "otra").unwrap();
    browser.keys("#file", own.path().to_str().unwrap());
    browser.until("document.querySelector('#own-result .is-good').textContent.includes('sitio/otra')");
    assert_quiet(&browser);

    browser.go(&format!("http://difusor.test:{}/.prep/verificar", origin.address.port()));
    browser.until("document.getElementById('fault').textContent.includes('https://')");
    assert_eq!(browser.run("return document.getElementById('tools').hidden"), true);
}

#[test]
fn everybody_can_read_our_pages() {
    let Some(browser) = Browser::start() else { return };
    let (publication, origin) = Publication::start(State::Before);
    for (state, path) in [
        (State::Before, "/"),
        (State::Waiting, "/"),
        (State::Interrupted, "/"),
        (State::Closed, "/"),
        (State::Current, "/no-hay"),
        (State::Late, "/.prep/embed"),
        (State::Current, "/.prep/embed"),
        (State::Final, "/.prep/verificar"),
    ] {
        for (width, scheme, is_drill) in [(320, "light", false), (1440, "dark", true)] {
            publication.go(state);
            publication.change(|told| told.is_shifted = is_drill);
            browser.size(width, 640);
            browser.prefers(scheme);
            browser.go(&format!("http://{}{path}", origin.address));
            let Some(faults) = browser.accessibility_faults() else { return };
            assert!(faults.is_empty(), "{path}, {state:?}, {scheme}: {faults:#?}");
            let fits = browser.run("return document.documentElement.scrollWidth <= innerWidth");
            assert_eq!(fits, true, "{path}, {state:?}: wider than {width} px");
        }
    }
}
