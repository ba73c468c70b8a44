//! A difusor that shows no results: not one byte of them, on no path, in no form.

use http::Method;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
    RETRY_AFTER,
};

use super::exchange::{Line, Wanted};
use super::judge::{self, Answer, CONTENT_DIGEST, CORTE, CORTE_FECHA_HORA, REPR_DIGEST};
use super::report::Findings;
use super::told::Estado;
use crate::base::shown::Shown;
use crate::corte::CorteId;
use crate::schedule::State;
use crate::snapshot::Coding;

/// Where results, or anything made of them, would be.
const PATHS: [&str; 7] = [
    "/",
    "/index.html",
    "/.prep/SHA256SUMS",
    "/.prep/SHA256SUMS.sig",
    "/.prep/corte.json",
    "/.prep/corte.original.json",
    "/.prep/cortes",
];

/// Under which check this state is told.
pub fn check(state: State) -> &'static str {
    match state {
        State::Before | State::Waiting => "embargo",
        State::Interrupted => "notice",
        State::Closed => "closed",
        State::Current | State::Late | State::Final => "results",
    }
}

/// Asks on every path in several ways; the number of responses.
pub async fn closed(estado: &Estado, lines: &mut [Line], found: &mut Findings) -> u64 {
    let mut paths: Vec<String> = PATHS.map(str::to_owned).into();
    if let Some(id) = estado.corte.as_ref().and_then(|id| id.parse::<CorteId>().ok()) {
        paths.push(format!("/.prep/c/{id}/"));
        paths.push(format!("/.prep/c/{id}/.prep/SHA256SUMS"));
    }
    let mut count = 0;
    for line in lines {
        for path in &paths {
            let page = Wanted { accept: "text/html", ..Wanted::file(path.clone(), Coding::Identity) };
            let field = |name, value| Some((name, HeaderValue::from_static(value)));
            let all = [
                page.clone(),
                Wanted { accept: "application/json", ..page.clone() },
                Wanted { method: Method::HEAD, ..page.clone() },
                Wanted { more: field(RANGE, "bytes=0-9"), ..page.clone() },
                Wanted { more: field(IF_NONE_MATCH, "*"), ..page },
            ];
            for wanted in all {
                match line.ask(&wanted).await {
                    Ok(answer) => judge(&answer, estado, wanted.accept == "application/json", found),
                    Err(why) => found.fault("reach", why),
                }
                count += 1;
            }
        }
    }
    count
}

/// That an answer says that there are no results, as it should, and nothing of any.
fn judge(answer: &Answer, estado: &Estado, wants_json: bool, found: &mut Findings) {
    let (state, asked) = (estado.state, &answer.asked);
    let name = check(state);
    judge::manners(answer, found);
    judge::state(answer, state, found);
    let before = found.faults();
    let expected = if state == State::Closed { 410 } else { 503 };
    if answer.status != expected {
        found.fault(name, format!("{asked}: {}, expected {expected} and no result", answer.status));
    }
    for of_a_file in [ETAG, LAST_MODIFIED, ACCEPT_RANGES, CONTENT_RANGE, REPR_DIGEST, CONTENT_DIGEST] {
        if answer.fields.contains_key(&of_a_file) {
            found.fault(name, format!("{asked}: {of_a_file}, which is of a file"));
        }
    }
    for corte in [CORTE, CORTE_FECHA_HORA] {
        let has = answer.fields.contains_key(&corte);
        let expected = if corte == CORTE { &estado.corte } else { &estado.fecha_hora };
        match state {
            State::Before | State::Waiting if has => found.fault(name, format!("{asked}: {corte} before the opening")),
            State::Interrupted if estado.corte.is_some() && !has => {
                found.fault(name, format!("{asked}: no {corte}; the notice must say which was the last"));
            }
            State::Interrupted | State::Closed => {
                if let (Some(said), Some(expected)) = (answer.field(&corte), expected)
                    && said != expected
                {
                    found.fault("corte", format!("{asked}: {corte} is not that of estado.json, {expected}"));
                }
            }
            _ => {}
        }
    }
    if expected == 503 && answer.field(&RETRY_AFTER).and_then(|s| s.parse::<u32>().ok()).is_none() {
        found.fault(name, format!("{asked}: no retry-after in seconds"));
    }
    let cached = answer.field(&CACHE_CONTROL).unwrap_or_default();
    if !["no-cache", "no-store", "max-age=0"].iter().any(|word| cached.contains(word)) {
        found.fault(name, format!("{asked}: caches may keep it, and show it when it is no longer true"));
    }
    let media = answer.field(&CONTENT_TYPE).unwrap_or_default();
    if media.starts_with("application/json") != wants_json {
        let media = Shown::text(media);
        found.warn(name, format!("{asked}: {media} is not what was asked for (page or JSON, by Accept)"));
    }
    if found.faults() == before {
        found.ok(name, words(state));
    }
}

fn words(state: State) -> &'static str {
    match state {
        State::Before => "not one result before the opening: every path answers 503, without a corte",
        State::Waiting => "open, and nothing has come yet: every path answers 503",
        State::Interrupted => "a notice instead of results: every path answers 503, with the last corte's date",
        State::Closed => "over: every path answers 410",
        State::Current | State::Late | State::Final => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::judge::tests::answer;

    fn estado(state: State) -> Estado {
        let text = format!(
            r#"{{"estado":"{}","corte":"20260607_2010","fecha_hora":"2026-06-07T20:10:00-06:00"}}"#,
            state.token()
        );
        Estado::parse(text.as_bytes()).unwrap()
    }

    /// The names of the checks that have a fault.
    fn faults(state: State, status: u16, fields: &[(&'static str, &str)]) -> Vec<&'static str> {
        let mut found = Findings::default();
        let token = ("corte-estado", state.token());
        let open = ("access-control-allow-origin", "*");
        let rest = [token, open, ("content-type", "text/html"), ("cache-control", "no-cache")];
        let fields: Vec<_> = fields.iter().copied().chain(rest).collect();
        judge(&answer(status, &fields, b"<p>"), &estado(state), false, &mut found);
        let faults = found.checks().into_iter().filter(|check| check.mark == crate::inspect::Mark::Fault);
        faults.map(|check| check.name).collect()
    }

    const RETRY: (&str, &str) = ("retry-after", "15");
    const LAST: [(&str, &str); 3] =
        [RETRY, ("corte", "20260607_2010"), ("corte-fecha-hora", "2026-06-07T20:10:00-06:00")];

    #[test]
    fn nothing_leaks_before_the_opening() {
        assert_eq!(faults(State::Before, 503, &[RETRY]), [""; 0]);
        assert_eq!(faults(State::Before, 503, &[]), ["embargo"]);
        for status in [200, 206, 304, 404] {
            assert_eq!(faults(State::Before, status, &[RETRY]), ["embargo"], "{status}");
        }
        for leak in ["etag", "last-modified", "corte", "corte-fecha-hora", "content-range", "repr-digest"] {
            assert_eq!(faults(State::Before, 503, &[RETRY, (leak, "x")]), ["embargo"], "{leak}");
        }
        assert_eq!(faults(State::Waiting, 503, &LAST), ["embargo"]);
    }

    #[test]
    fn a_notice_says_which_was_the_last() {
        assert_eq!(faults(State::Interrupted, 503, &LAST), [""; 0]);
        assert_eq!(faults(State::Interrupted, 503, &LAST[..1]), ["notice"]);
        assert_eq!(faults(State::Interrupted, 200, &LAST), ["notice"]);
        let other = [RETRY, ("corte", "20260607_2000"), LAST[2]];
        assert_eq!(faults(State::Interrupted, 503, &other), ["corte"]);
        assert_eq!(faults(State::Closed, 410, &LAST[1..]), [""; 0]);
        assert_eq!(faults(State::Closed, 503, &LAST), ["closed"]);
    }
}
