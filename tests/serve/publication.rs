//! A publication that changes on command, with our pages before it: for tests in a browser.

use std::sync::{Arc, Mutex};

use difusor::base::clock::Clock;
use difusor::base::digest::Digest;
use difusor::corte::Tipo;
use difusor::portal::Stamp;
use difusor::portal::{Brand, Notice, Offer, Printed, Told, files, notice_page};
use difusor::schedule::State;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ZonedDateTime};

use crate::common::origin::{Heard, Origin, Stream, answer};

/// What is published, as the tests change it.
pub struct Publication {
    told: Mutex<Told>,
}

impl Publication {
    pub fn start(state: State) -> (Arc<Publication>, Origin) {
        let publication = Arc::new(Publication { told: Mutex::new(told(state)) });
        let served = publication.clone();
        (publication, Origin::start(move |heard, to| served.answer(heard, to)))
    }

    pub fn change(&self, to: impl FnOnce(&mut Told)) {
        to(&mut self.told.lock().unwrap());
    }

    /// Another state, as it is told from now on.
    pub fn go(&self, state: State) {
        *self.told.lock().unwrap() = told(state);
    }

    /// The front page, byte for byte.
    pub fn front_page(&self) -> String {
        site("/", &self.told.lock().unwrap()).unwrap_or_default()
    }

    fn answer(&self, heard: &Heard, to: &mut dyn Stream) {
        let told = self.told.lock().unwrap().clone();
        let path = heard.target().split('?').next().unwrap();
        let site = |path| site(path, &told);
        let (status, kind, body) = match path.strip_prefix("/.prep/") {
            Some("SHA256SUMS") => ("200 OK", "text/plain", sums(&told).into_bytes()),
            Some(name) => match files(&told, &brand()).into_iter().find(|(n, _)| *n == name) {
                Some((_, bytes)) => ("200 OK", kind(name), bytes.to_vec()),
                None => ("404 Not Found", "text/plain", Vec::new()),
            },
            None if path == "/periodico" => ("200 OK", "text/html", newspaper(heard)),
            None if told.shows_results => match site(path) {
                Some(body) => ("200 OK", "text/html", body.into_bytes()),
                None => ("404 Not Found", "text/html", notice(Notice::NotFound, &told)),
            },
            None => ("503 Service Unavailable", "text/html", notice(in_place(told.state), &told)),
        };
        let corte = told.corte().map_or(String::new(), |c| format!("Corte: {}\r\n", c.id));
        let date = http_date();
        let fields =
            format!("Content-Type: {kind}; charset=utf-8\r\nCache-Control: no-cache\r\nDate: {date}\r\n{corte}");
        answer(to, status, &fields, Some(body.len()), &body);
    }
}

fn kind(name: &str) -> &'static str {
    match name {
        "embed.js" => "text/javascript",
        "estado.json" => "application/json",
        _ => "text/html",
    }
}

fn notice(notice: Notice, told: &Told) -> Vec<u8> {
    notice_page(notice, told, &brand()).into_bytes()
}

fn in_place(state: State) -> Notice {
    match state {
        State::Before => Notice::NotOpenYet,
        State::Interrupted => Notice::Interrupted,
        State::Closed => Notice::Closed,
        _ => Notice::NoCorteYet,
    }
}

/// A long page that says which corte it is of.
fn site(path: &str, told: &Told) -> Option<String> {
    let id = &told.corte()?.id;
    let rows: String = (0..100).map(|n| format!("<p>Distrito {n}</p>")).collect();
    let page = format!("<!doctype html><title>PREP</title><body data-corte={id}><a id=otra href=/otra>otra</a>{rows}");
    ["/", "/otra"].contains(&path).then_some(page)
}

/// The list says what is true of the front page, and something else of the other.
fn sums(told: &Told) -> String {
    let digest = Digest::of(site("/", told).unwrap_or_default().as_bytes());
    format!("{digest}  sitio/index.html\n{}  sitio/otra\n", Digest::of(b"otra"))
}

/// A page of somebody else with our line of script in it.
fn newspaper(heard: &Heard) -> Vec<u8> {
    let port = heard.field("host").unwrap().rsplit(':').next().unwrap().to_owned();
    let script = format!("<script src=\"http://difusor.test:{port}/.prep/embed.js\" async data-ruta=/otra></script>");
    format!("<!doctype html><title>Noticias</title><p>Antes</p>{script}<p>Después</p>").into_bytes()
}

fn http_date() -> String {
    let now = Clock::machine().now();
    httpdate::fmt_http_date(std::time::SystemTime::try_from(now).unwrap())
}

fn brand() -> Brand {
    Brand { name: Some("El Diario".into()), support: Some("844 123 4567".into()), ..Brand::default() }
}

pub fn now() -> ZonedDateTime {
    Clock::machine().now().to_zoned_datetime(TimeZone::get("America/Monterrey").unwrap())
}

/// The first corte of an election that has cortes every ten seconds and is always waiting for the next one: so that it is
/// asked for every second.
fn told(state: State) -> Told {
    let now = now();
    let ago = |seconds| now.checked_sub(SignedDuration::from_secs(seconds)).unwrap();
    let stamp = || Stamp::new("20260607_2010".into(), "2026-06-07T20:10:00-06:00".into(), &at("2026-06-07T20:10"));
    Told {
        election: "prueba".into(),
        kind: Tipo::Oficial,
        state,
        shows_results: matches!(state, State::Current | State::Late | State::Final),
        is_shifted: false,
        corte: (!matches!(state, State::Before | State::Waiting)).then(stamp),
        since: (state != State::Before).then(|| ago(60)),
        opens: ago(-3600),
        closes: ago(-7200),
        due: (state != State::Before).then(|| ago(1)),
        interval_s: 10,
        offer: Offer::Everything,
        printed: Printed { election: now.clone(), machine_s: now.timestamp().as_second(), pace: 1.0 },
    }
}

fn at(minute: &str) -> ZonedDateTime {
    format!("{minute}:00-06:00[-06:00]").parse().unwrap()
}

pub fn second_corte(told: &mut Told) {
    told.corte = Some(Stamp::new("20260607_2020".into(), "2026-06-07T20:20:00-06:00".into(), &at("2026-06-07T20:20")));
}
