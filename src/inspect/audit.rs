//! One look at one difusor, from the first connection to the verdict.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::Method;
use http::header::LOCATION;
use jiff::Timestamp;
use tokio::time::timeout;

use super::closed;
use super::connect::{NotConnected, Secured, Trusted, Versions, connect};
use super::exchange::{Line, Wanted};
use super::judge::{self, Answer, Way};
use super::report::{Findings, Report};
use super::results::{Round, results};
use super::target::Target;
use super::told::{ESTADO_BYTES, Estado};
use crate::base::clock::{Clock, Monotonic};
use crate::corte::Signers;
use crate::schedule::State;
use crate::snapshot::Coding;

/// How long one look may take in all: the largest package, slowly.
const WHOLE_MAX: Duration = Duration::from_secs(3600);
/// Times that it begins anew because another corte went live meanwhile: they come every ten minutes.
const ROUNDS_MAX: usize = 4;

/// What is the same for every difusor.
#[derive(Clone)]
pub struct Asked {
    pub signers: Signers,
    /// The principal that must have signed; anyone where there is none.
    pub identity: Option<String>,
    pub trusted: Trusted,
    /// Only so many files, at random.
    pub sample: Option<usize>,
    /// Seconds that a corte may be old while more are expected, in the place of what the state lets it be.
    pub max_age_s: Option<i64>,
}

/// How far it is, for whoever waits.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    pub(super) fn expect(&self, total: u64) {
        self.done.store(0, Relaxed);
        self.total.store(total, Relaxed);
    }

    pub(super) fn did(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    /// Requests that were answered, and that there will be; 0 of 0 while nobody knows.
    pub fn read(&self) -> (u64, u64) {
        (self.done.load(Relaxed), self.total.load(Relaxed))
    }
}

/// Looks at a difusor. Needs a tokio runtime with I/O and time.
pub async fn audit(target: &Target, asked: &Asked, clock: &Clock, progress: Arc<Progress>) -> Report {
    let started = Monotonic::now();
    let mut report = match timeout(WHOLE_MAX, look(target, asked, clock, progress)).await {
        Ok(report) => report,
        Err(_) => {
            let mut report = Report { url: target.to_string(), ..Report::default() };
            report.findings.fault("reach", format!("not done within {} s", WHOLE_MAX.as_secs()));
            report
        }
    };
    report.took = started.elapsed();
    report
}

async fn look(target: &Target, asked: &Asked, clock: &Clock, progress: Arc<Progress>) -> Report {
    let mut target = target.clone();
    let mut report = Report { url: target.to_string(), ..Report::default() };
    let mut lines = match open(&mut target, asked, &mut report).await {
        Ok(line) => vec![line],
        Err(fault) => {
            report.findings.fault(fault.check, fault.why);
            return report;
        }
    };
    let secured = lines[0].secured.clone();
    lines.extend(second(&target, asked, &mut report.findings).await);
    report.findings.ok("reach", format!("{target} answers"));
    let common = report.clone();
    for number in 1..=ROUNDS_MAX {
        report = common.clone();
        let before = round(&mut lines, asked, clock, &progress, &mut report).await;
        let Some(before) = before else { break };
        if let Some(secured) = &secured {
            certificate(&target, asked, secured, &before, clock.now(), &mut report.findings);
        }
        // Where it stands as it did, what was found is no change that came in between.
        let after = estado(&mut lines[0], &mut Findings::default()).await;
        let is_same = |after: &Estado| after.state == before.state && after.corte == before.corte;
        if number == ROUNDS_MAX || after.is_some_and(|(_, after)| is_same(&after)) {
            break;
        }
    }
    if target.origin.is_secure {
        versions(&target, asked, &mut report.findings).await;
    }
    report
}

/// The line over HTTP/2, if it is spoken: whether it is shows in an answer.
async fn second(target: &Target, asked: &Asked, found: &mut Findings) -> Option<Line> {
    let head = Wanted { method: Method::HEAD, ..Wanted::file("/".into(), Coding::Identity) };
    match Line::open(target, &asked.trusted, Way::Http2).await {
        Ok(mut line) => match line.ask(&head).await {
            Ok(_) => {
                found.ok("http", "HTTP/1.1 and HTTP/2");
                return Some(line);
            }
            // Over TLS the server has chosen it.
            Err(why) if target.origin.is_secure => found.fault("http", why),
            Err(why) => found.warn("http", format!("HTTP/1.1 only: {why}")),
        },
        Err(fault) => found.warn("http", format!("HTTP/1.1 only: {}", fault.why)),
    }
    None
}

/// The first line, perhaps to where the clear port sends everybody on the same host.
async fn open(target: &mut Target, asked: &Asked, report: &mut Report) -> Result<Line, NotConnected> {
    let mut line = Line::open(target, &asked.trusted, Way::Http11).await?;
    let root = line.ask(&Wanted::file("/".into(), Coding::Identity)).await?;
    if (300..400).contains(&root.status) {
        let to = root.fields.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        match target.sent_to(to) {
            Some(there) if there != *target => {
                *target = there;
                report.url = target.to_string();
                return Line::open(target, &asked.trusted, Way::Http11).await;
            }
            _ => judge::manners(&root, &mut report.findings),
        }
    }
    Ok(line)
}

/// What it says of itself.
async fn estado(line: &mut Line, found: &mut Findings) -> Option<(Answer, Estado)> {
    let answer = match line.ask(&Wanted::small("/.prep/estado.json", ESTADO_BYTES)).await {
        Ok(answer) => answer,
        Err(why) => {
            found.fault("reach", why);
            return None;
        }
    };
    if answer.status != 200 {
        found.fault("state", format!("{}: {}, expected 200", answer.asked, answer.status));
        return None;
    }
    match Estado::parse(&answer.body.bytes) {
        Ok(estado) => Some((answer, estado)),
        Err(why) => {
            found.fault("state", format!("{}: {why}", answer.asked));
            None
        }
    }
}

/// Looks at all of it once. `None` where nothing can be said.
async fn round(
    lines: &mut [Line],
    asked: &Asked,
    clock: &Clock,
    progress: &Arc<Progress>,
    report: &mut Report,
) -> Option<Estado> {
    let (answer, told) = estado(lines.first_mut()?, &mut report.findings).await?;
    report.state = Some(told.state.token().to_owned());
    (report.corte, report.fecha_hora, report.is_drill) = (told.corte.clone(), told.fecha_hora.clone(), told.is_drill);
    judge::manners(&answer, &mut report.findings);
    judge::state(&answer, told.state, &mut report.findings);
    judge::digests_of(&answer, &mut report.findings);
    let now = election_time(&answer, &told, clock.now(), &mut report.findings);
    for (check, what) in told.contradictions(now) {
        report.findings.fault(check, what);
    }
    let mut roots = Vec::new();
    for line in lines.iter_mut() {
        match line.ask(&Wanted::file("/".into(), Coding::Identity)).await {
            Ok(root) => roots.push(root),
            Err(why) => report.findings.fault("reach", why),
        }
    }
    report.responses += 1 + roots.len() as u64;
    let shows = roots.iter().any(|root| root.status == 200);
    report.shows_results = shows;
    let (state, check) = (told.state, closed::check(told.state));
    match state {
        State::Before | State::Waiting | State::Interrupted if shows => {
            report.findings.fault(check, format!("/ shows something, though it says {}", state.token()));
        }
        State::Current | State::Late | State::Final if !shows => {
            let statuses: Vec<_> = roots.iter().map(|root| root.status.to_string()).collect();
            let (state, statuses) = (state.token(), statuses.join(", "));
            report.findings.fault("results", format!("it says {state}, but / answers {statuses}"));
        }
        State::Current | State::Late | State::Final => report.findings.ok("results", "shown"),
        _ => {}
    }
    if told.shows.is_some_and(|said| said != shows) {
        report.findings.fault(check, "whether results are shown is not what estado.json says");
    }
    if shows {
        let round = Round { asked, estado: &told, now, progress: progress.clone() };
        results(&round, lines, &roots, report).await;
    } else if !matches!(state, State::Current | State::Late | State::Final) {
        report.responses += closed::closed(&told, lines, &mut report.findings).await;
    }
    Some(told)
}

/// The time that counts: our own, or that of a rehearsal.
fn election_time(answer: &Answer, told: &Estado, now: Timestamp, found: &mut Findings) -> Timestamp {
    let Some(date) = answer.date_s() else {
        found.warn("clock", "responses say no date");
        return now;
    };
    let off = date.saturating_sub(now.as_second());
    if off.abs() > judge::CLOCKS_S {
        found.warn("clock", format!("its clock and this machine's differ by {off} s; one of them is wrong"));
    }
    let Some(printed) = told.clock else { return now };
    let election = printed.at(date);
    if election.duration_since(Timestamp::from_second(date).unwrap_or(now)).as_secs().abs() <= judge::CLOCKS_S {
        found.ok("clock", "right within a minute");
        return now;
    }
    if told.is_drill {
        found.ok("clock", format!("a rehearsal: its time is {election}"));
        return election;
    }
    found.fault("clock", format!("it goes by another time, {election}, though this is no drill"));
    now
}

/// What the certificate is worth, now and at the close.
fn certificate(target: &Target, asked: &Asked, secured: &Secured, told: &Estado, now: Timestamp, found: &mut Findings) {
    let (chain, host) = (&secured.chain, target.origin.host.as_str());
    let ends = asked.trusted.ends(chain, host).map_or("an unknown time".into(), |ends| ends.to_string());
    match told.closes.filter(|closes| *closes > now && !told.is_drill) {
        Some(closes) if asked.trusted.holds_at(chain, host, closes).is_err() => {
            found.warn("certificate", format!("ends at {ends}, before the difusion closes, at {closes}"));
        }
        _ => found.ok("certificate", format!("for {host}, until {ends}")),
    }
}

/// Which versions of TLS it speaks; older ones than 1.2 cannot be tried from here.
async fn versions(target: &Target, asked: &Asked, found: &mut Findings) {
    let mut spoken = Vec::new();
    for versions in [Versions::Only13, Versions::Only12] {
        if let Ok((_, Some(secured))) = connect(target, &asked.trusted, versions, Way::Http11).await {
            spoken.push(secured.version);
        }
    }
    match spoken[..] {
        ["TLS 1.3", ..] => found.ok("tls", spoken.join(" and ")),
        [] => found.fault("tls", "neither TLS 1.3 nor 1.2 works a second time"),
        _ => found.warn("tls", format!("{} only; browsers are faster and safer with 1.3", spoken.join(", "))),
    }
}
