//! What a difusor says of itself: `/.prep/estado.json` and `/.prep/cortes`. Read without trust: what is not of the type
//! that it should be is not there.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::judge::{CLOCKS_S, INTERVAL_S};
use crate::base::digest::Digest;
use crate::base::shown::Shown;
use crate::corte::CorteId;
use crate::portal::Offer;
use crate::schedule::State;
use crate::store::{NONE_BEFORE, link};

/// Bytes of `estado.json`: a dozen short values.
pub const ESTADO_BYTES: u64 = 64 << 10;
/// Bytes of `/.prep/cortes`: 1,000 links of some 500 bytes.
pub const CHAIN_BYTES: u64 = 2 << 20;

/// Where transmission stands, as far as it is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Estado {
    pub state: State,
    /// Whether results are shown.
    pub shows: Option<bool>,
    pub corte: Option<String>,
    pub fecha_hora: Option<String>,
    pub is_drill: bool,
    /// What matters least is left out for now: more is asked for than can be sent.
    pub offers_less: bool,
    /// Seconds from one corte to the next.
    pub interval_s: Option<i64>,
    pub opens: Option<Timestamp>,
    pub closes: Option<Timestamp>,
    pub clock: Option<Printed>,
}

/// The election's time, when the machine's was `machine_s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Printed {
    pub election: Timestamp,
    pub machine_s: i64,
    pub pace: f64,
}

/// A pace of rehearsals, at most: a night in a minute.
const PACE_MAX: f64 = 10_000.0;

impl Printed {
    /// The election's time when the machine's is `machine_s`, which a response's `Date` tells.
    pub fn at(&self, machine_s: i64) -> Timestamp {
        let passed = machine_s.saturating_sub(self.machine_s) as f64 * self.pace;
        let passed = SignedDuration::try_from_secs_f64(passed).unwrap_or(SignedDuration::ZERO);
        self.election.checked_add(passed).unwrap_or(self.election)
    }
}

impl Estado {
    pub fn parse(json: &[u8]) -> Result<Estado, String> {
        let value: Value = serde_json::from_slice(json).map_err(|error| format!("is no JSON: {error}"))?;
        let text = |key: &str| value[key].as_str();
        // They are printed, and those of an honest difusor look the same.
        let shown = |text: &str| Shown::text(text).to_string();
        let state = text("estado").and_then(state).ok_or("has no `estado` that we know")?;
        let clock = &value["reloj"];
        let pace = clock["ritmo"].as_f64().filter(|pace| (0.0..=PACE_MAX).contains(pace));
        let printed = instant(clock["eleccion"].as_str()).zip(clock["maquina_s"].as_i64()).zip(pace);
        Ok(Estado {
            state,
            shows: value["resultados"].as_bool(),
            corte: text("corte").map(shown),
            fecha_hora: text("fecha_hora").map(shown),
            is_drill: value["simulacro"].as_bool().unwrap_or(false) || text("tipo") == Some("simulacro"),
            offers_less: text("servicio").is_some_and(|said| Offer::ALL[1..].iter().any(|less| less.token() == said)),
            interval_s: value["intervalo_s"].as_i64().filter(|s| *s > 0),
            opens: instant(text("abre")),
            closes: instant(text("cierra")),
            clock: printed.map(|((election, machine_s), pace)| Printed { election, machine_s, pace }),
        })
    }

    /// Seconds from one corte to the next that age is measured by: as it says, but in the election no longer than the call's.
    pub fn interval_of_call_s(&self) -> i64 {
        let most = if self.is_drill { i64::MAX } else { INTERVAL_S };
        self.interval_s.unwrap_or(INTERVAL_S).min(most)
    }

    /// Seconds by which the time of a fast rehearsal is known no better: `Date` tells whole seconds, on both sides.
    pub fn blur_s(&self) -> i64 {
        let pace = self.clock.filter(|_| self.is_drill).map_or(1.0, |clock| clock.pace);
        if pace > 1.0 { (pace * 2.0).ceil() as i64 } else { 0 }
    }

    /// What does not agree with the difusor's own calendar at `now`, each under its check: whoever shows too early, stays
    /// shut, or says that transmission is interrupted though it is not.
    pub fn contradictions(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let (state, most) = (self.state.token(), CLOCKS_S.saturating_add(self.blur_s()));
        let is_before = |at: Option<Timestamp>| at.is_some_and(|at| at.duration_since(now).as_secs() > most);
        let is_after = |at: Option<Timestamp>| at.is_some_and(|at| now.duration_since(at).as_secs() > most);
        let mut found = Vec::new();
        let mut tell = |is_wrong: bool, check, what: &str, at: Option<Timestamp>| {
            if is_wrong {
                let at = at.map_or(String::new(), |at| format!(" {at}"));
                found.push((check, format!("it says {state}, but {what}{at}")));
            }
        };
        let is_early = is_before(self.opens) && self.state != State::Before;
        tell(is_early, "embargo", "opens only at", self.opens);
        let is_shut = is_after(self.opens) && self.state == State::Before;
        tell(is_shut, "state", "should have opened at", self.opens);
        let is_closed = self.state == State::Closed;
        tell(is_before(self.closes) && is_closed, "closed", "closes only at", self.closes);
        tell(is_after(self.closes) && !is_closed, "state", "should have closed at", self.closes);
        let stamp = instant(self.fecha_hora.as_deref());
        let interval = SignedDuration::from_secs(self.interval_s.unwrap_or(INTERVAL_S));
        let blur = SignedDuration::from_secs(self.blur_s());
        let is_fresh = stamp.is_some_and(|stamp| now.duration_since(stamp).saturating_add(blur) < interval);
        tell(self.state == State::Interrupted && is_fresh, "notice", "the last corte is of", stamp);
        found
    }
}

/// A state by its token.
pub fn state(token: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.token() == token)
}

/// A time of RFC 3339, perhaps with its zone's name behind it (RFC 9557).
fn instant(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// A link as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub corte: CorteId,
    pub sums: Digest,
    pub is_withdrawn: bool,
    pub before: Digest,
    pub link: Digest,
}

/// The chain of accepted cortes as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain(pub Vec<Told>);

/// What the chain says of a corte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// And the chain begins with the first that was ever accepted.
    FromTheFirst,
    /// Earlier ones are no longer listed, or some in between.
    WithGaps(usize),
}

impl Chain {
    pub fn parse(json: &[u8]) -> Result<Chain, String> {
        let value: Value = serde_json::from_slice(json).map_err(|error| format!("is no JSON: {error}"))?;
        let rows = value["cortes"].as_array().ok_or("has no list `cortes`")?;
        let told = |row: &Value| {
            let digest = |key: &str| row[key].as_str().and_then(Digest::from_hex);
            Some(Told {
                corte: row["corte"].as_str()?.parse().ok()?,
                sums: digest("sha256")?,
                is_withdrawn: row["retirado"].as_bool().unwrap_or(false),
                before: digest("anterior")?,
                link: digest("eslabon")?,
            })
        };
        let read = |(n, row)| told(row).ok_or_else(|| format!("corte {} of the list cannot be read", n + 1));
        Ok(Chain(rows.iter().enumerate().map(read).collect::<Result<_, String>>()?))
    }

    /// Whether every link is the SHA-256 that it should be, and this list of this corte is in it and not withdrawn.
    pub fn check(&self, corte: &str, sums: &Digest) -> Result<Holds, String> {
        for told in &self.0 {
            if link(&told.before, told.corte, &told.sums) != told.link {
                return Err(format!("the link of {} is not what its lines hash to", told.corte));
            }
        }
        let own = self.0.iter().find(|told| told.corte.to_string() == corte);
        match own {
            None => return Err(format!("{} is not in it", Shown::text(corte))),
            Some(own) if own.sums != *sums => {
                return Err(format!("it has another SHA256SUMS for {} than is shown: {}", own.corte, own.sums));
            }
            Some(own) if own.is_withdrawn => return Err(format!("{} is shown, and withdrawn in it", own.corte)),
            Some(_) => {}
        }
        let begins = usize::from(self.0.first().is_some_and(|first| first.before != NONE_BEFORE));
        let gaps = self.0.windows(2).filter(|pair| pair[1].before != pair[0].link).count() + begins;
        Ok(if gaps == 0 { Holds::FromTheFirst } else { Holds::WithGaps(gaps) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Link;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_not_of_its_type_is_not_there() {
        let whole = json!({
            "estado": "vigente", "resultados": true, "corte": "20260607_2010", "intervalo_s": 600, "simulacro": true,
            "cierra": "2026-06-14T18:00:00-06:00",
            "reloj": {"eleccion": "2026-06-07T20:11:00-06:00", "maquina_s": 1_000, "ritmo": 60.0},
        });
        let estado = Estado::parse(whole.to_string().as_bytes()).unwrap();
        assert!(estado.state == State::Current && estado.shows == Some(true) && estado.is_drill);
        for (said, less) in [("completo", false), ("sin-imagenes", true), ("esencial", true), ("nada", false)] {
            let text = format!(r#"{{"estado":"vigente","servicio":"{said}"}}"#);
            assert_eq!(Estado::parse(text.as_bytes()).unwrap().offers_less, less, "{said}");
        }
        let at = estado.clock.unwrap().at(1_002);
        assert_eq!(at, "2026-06-08T02:13:00Z".parse().unwrap());
        // Both are printed: what a server writes must not reach the terminal as it is.
        let hostile = r#"{"estado":"previo","corte":"\u001b[2J\u202e","fecha_hora":"a\nhttps://b: as sent"}"#;
        let hostile = Estado::parse(hostile.as_bytes()).unwrap();
        assert_eq!(hostile.corte.as_deref(), Some(r"\u{1b}[2J\u{202e}"));
        assert_eq!(hostile.fecha_hora.as_deref(), Some(r"a\nhttps://b: as sent"));
        let little =
            Estado::parse(br#"{"estado":"previo","corte":null,"reloj":{"ritmo":"x"},"intervalo_s":-1}"#).unwrap();
        assert!(little.corte.is_none() && little.clock.is_none() && little.interval_s.is_none());
        // Who says that cortes come once a day must not look up to date with one of this morning; a drill may.
        let every = |tipo: &str| {
            let text = format!(r#"{{"estado":"vigente","tipo":"{tipo}","intervalo_s":86400}}"#);
            Estado::parse(text.as_bytes()).unwrap().interval_of_call_s()
        };
        assert_eq!((every("oficial"), every("simulacro")), (600, 86_400));
        for bad in ["", "[]", "{}", r#"{"estado":"abierto"}"#, r#"{"estado":7}"#] {
            assert!(Estado::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_state_that_the_calendar_contradicts_is_seen() {
        let checks = |state: State, now: &str| {
            let text = json!({
                "estado": state.token(), "fecha_hora": "2026-06-07T20:10:00-06:00", "intervalo_s": 600,
                "abre": "2026-06-07T18:30:00-06:00", "cierra": "2026-06-14T18:00:00-06:00",
            });
            let found = Estado::parse(text.to_string().as_bytes()).unwrap().contradictions(now.parse().unwrap());
            found.into_iter().map(|(check, _)| check).collect::<Vec<_>>()
        };
        let (early, night, over) =
            ("2026-06-07T18:28:00-06:00", "2026-06-07T20:15:00-06:00", "2026-06-14T18:02:00-06:00");
        for state in State::ALL {
            let is = |one| state == one;
            assert_eq!(checks(state, early).contains(&"embargo"), !is(State::Before), "{state:?}");
            let expected: &[_] = match state {
                State::Before => &["state"],
                State::Closed => &["closed"],
                State::Interrupted => &["notice"],
                _ => &[],
            };
            assert_eq!(checks(state, night), expected, "{state:?}");
            assert_eq!(checks(state, over).contains(&"state"), !is(State::Closed), "{state:?}");
        }
        // A night in minutes is known to some minutes only.
        let fast = br#"{"estado":"vigente","simulacro":true,"abre":"2026-06-07T18:30:00-06:00","reloj":{"eleccion":"2026-06-07T18:25:00-06:00","maquina_s":1,"ritmo":600}}"#;
        assert_eq!(Estado::parse(fast).unwrap().contradictions("2026-06-07T18:25:00-06:00".parse().unwrap()), []);
        // A clock may be a minute off, and an interruption is one after some cortes.
        assert_eq!(checks(State::Current, "2026-06-07T18:29:30-06:00"), [""; 0]);
        assert_eq!(checks(State::Interrupted, "2026-06-07T20:41:00-06:00"), [""; 0]);
    }

    fn chain(n: usize) -> Vec<Value> {
        let mut last: Option<Link> = None;
        let row = |n| {
            let id: CorteId = format!("20260607_20{n:02}").parse().unwrap();
            let sums = Digest::of(&[n as u8]);
            let link = Link::after(last, id, &sums);
            last = Some(link);
            let (sums, before, own) = (sums.to_string(), link.before.to_string(), link.link.to_string());
            json!({"corte": id.to_string(), "sha256": sums, "anterior": before, "eslabon": own})
        };
        (0..n).map(row).collect()
    }

    fn check(rows: &[Value], n: usize) -> Result<Holds, String> {
        let chain = Chain::parse(json!({ "cortes": rows }).to_string().as_bytes())?;
        chain.check(&format!("20260607_20{n:02}"), &Digest::of(&[n as u8]))
    }

    #[test]
    fn a_chain_holds_or_says_where_it_does_not() {
        let rows = chain(5);
        assert_eq!(check(&rows, 4), Ok(Holds::FromTheFirst));
        assert_eq!(check(&rows[2..], 4), Ok(Holds::WithGaps(1)), "what the vault no longer keeps");
        let mut gap = rows.clone();
        gap.remove(2);
        assert_eq!(check(&gap, 4), Ok(Holds::WithGaps(1)));
        assert!(check(&rows[..4], 4).unwrap_err().contains("is not in it"));
        assert!(check(&rows, 3).is_ok());
        let mut withdrawn = rows.clone();
        withdrawn[4]["retirado"] = true.into();
        assert!(check(&withdrawn, 4).unwrap_err().contains("withdrawn"));
        for key in ["sha256", "anterior", "eslabon"] {
            let mut changed = rows.clone();
            changed[1][key] = Digest::of(b"other").to_string().into();
            assert!(check(&changed, 4).unwrap_err().contains("hash to"), "{key}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, seconds: i64, pace in 0.0..PACE_MAX) {
            let _ = Estado::parse(&bytes);
            let _ = Chain::parse(&bytes);
            let _ = Printed { election: Timestamp::MAX, machine_s: i64::MIN, pace }.at(seconds);
        }
    }
}
