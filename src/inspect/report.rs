//! What was found, check by check.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// Every check by its name, in the order in which they are told, and what it asks. Names stay the same.
pub const CHECKS: [(&str, &str); 21] = [
    ("reach", "it answers"),
    ("http", "over HTTP/1.1 and HTTP/2"),
    ("tls", "TLS 1.3 or 1.2"),
    ("certificate", "in order, for this name, and beyond the close"),
    ("state", "every response says where transmission stands, and the same"),
    ("clock", "its clock is right"),
    ("embargo", "not one result before the opening"),
    ("notice", "no results while transmission is interrupted"),
    ("closed", "what it answers when all is over"),
    ("results", "results are shown when they should be"),
    ("signature", "the authority signed the list"),
    ("list", "the list is in order"),
    ("original", "corte.json is the signed one"),
    ("corte", "every response is of this corte"),
    ("age", "the corte is not too old"),
    ("files", "every file decodes to what the list says"),
    ("digests", "Repr-Digest and Content-Digest are right"),
    ("tags", "entity tags are strong, and differ with the bytes"),
    ("pinned", "the same under the URL of this corte"),
    ("chain", "the chain of accepted cortes holds, and has this one"),
    ("fields", "no cookies, nothing that leads elsewhere, open to scripts of other pages"),
];

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    Ok,
    Warn,
    Fault,
}

impl Mark {
    pub fn word(self) -> &'static str {
        match self {
            Mark::Ok => "OK",
            Mark::Warn => "WARN",
            Mark::Fault => "FAULT",
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub mark: Mark,
    pub what: String,
}

/// What a check has come to so far: the first sentence of its worst, and how many more there were.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings(BTreeMap<&'static str, (Option<Mark>, String, usize)>);

impl Findings {
    pub fn ok(&mut self, name: &'static str, what: impl Into<String>) {
        self.add(name, Mark::Ok, what.into());
    }

    pub fn warn(&mut self, name: &'static str, what: impl Into<String>) {
        self.add(name, Mark::Warn, what.into());
    }

    pub fn fault(&mut self, name: &'static str, what: impl Into<String>) {
        self.add(name, Mark::Fault, what.into());
    }

    fn add(&mut self, name: &'static str, mark: Mark, what: String) {
        let found = self.0.entry(name).or_default();
        if found.0.is_none_or(|before| mark > before) {
            *found = (Some(mark), what, 0);
        } else if found.0 == Some(mark) && mark > Mark::Ok {
            found.2 += 1;
        }
    }

    /// What was found by somebody else.
    pub fn merge(&mut self, others: Findings) {
        for (name, (mark, what, more)) in others.0 {
            let Some(mark) = mark else { continue };
            self.add(name, mark, what);
            if let Some(found) = self.0.get_mut(name).filter(|found| found.0 == Some(mark)) {
                found.2 += more;
            }
        }
    }

    /// Says what is well in other words.
    pub fn reword(&mut self, name: &'static str, what: String) {
        if let Some(found) = self.0.get_mut(name).filter(|found| found.0 == Some(Mark::Ok)) {
            found.1 = what;
        }
    }

    pub fn faults(&self) -> usize {
        self.0.values().filter(|found| found.0 == Some(Mark::Fault)).map(|found| found.2 + 1).sum()
    }

    pub fn has_fault(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|found| found.0 == Some(Mark::Fault))
    }

    /// In the order of the table.
    pub fn checks(&self) -> Vec<Check> {
        let names = CHECKS.iter().map(|(name, _)| *name);
        let row = |name| {
            let (mark, what, more) = self.0.get(name)?;
            let more = if *more > 0 { format!(" (and {more} more)") } else { String::new() };
            Some(Check { name, mark: (*mark)?, what: format!("{what}{more}") })
        };
        names.filter_map(row).collect()
    }
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that it shows is what the authority sent.
    AsSent,
    /// It shows no results, and should not.
    NoResults,
    /// Something is wrong, or it cannot be reached.
    Differs,
}

impl Verdict {
    pub fn token(self) -> &'static str {
        match self {
            Verdict::AsSent => "as-sent",
            Verdict::NoResults => "no-results",
            Verdict::Differs => "differs",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Verdict::AsSent => "it shows what the authority sent",
            Verdict::NoResults => "it shows no results now, and should not",
            Verdict::Differs => "something is wrong",
        }
    }
}

/// All that is told of one difusor.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub url: String,
    pub findings: Findings,
    /// `vigente`, ... as it says.
    pub state: Option<String>,
    pub corte: Option<String>,
    pub fecha_hora: Option<String>,
    /// Seconds since the corte's stamp.
    pub age_s: Option<i64>,
    pub is_drill: bool,
    pub shows_results: bool,
    /// Files that were looked at, and that the list has.
    pub files: (usize, usize),
    /// Files that were asked for and are left out for now, as it says.
    pub left_out: usize,
    pub responses: u64,
    /// Bytes of all bodies, as they came.
    pub bytes: u64,
    pub took: Duration,
}

impl Report {
    pub fn verdict(&self) -> Verdict {
        match (self.findings.faults(), self.shows_results) {
            (0, true) => Verdict::AsSent,
            (0, false) => Verdict::NoResults,
            _ => Verdict::Differs,
        }
    }

    /// The first check with a fault, if there is one.
    pub fn worst(&self) -> Option<Check> {
        self.findings.checks().into_iter().find(|check| check.mark == Mark::Fault)
    }

    pub fn to_json(&self) -> Value {
        let checks = self.findings.checks();
        let checks = checks.iter().map(|c| json!({ "check": c.name, "result": c.mark.word(), "what": c.what }));
        json!({
            "url": self.url,
            "verdict": self.verdict().token(),
            "state": self.state,
            "corte": self.corte,
            "fecha_hora": self.fecha_hora,
            "age_s": self.age_s,
            "drill": self.is_drill,
            "shows_results": self.shows_results,
            "files": self.files.0,
            "files_listed": self.files.1,
            "files_left_out": self.left_out,
            "responses": self.responses,
            "bytes": self.bytes,
            "took_s": self.took.as_secs_f64(),
            "checks": checks.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_told_and_how_many_more() {
        let mut findings = Findings::default();
        findings.ok("files", "all is well");
        findings.fault("files", "a differs");
        findings.fault("files", "b differs");
        findings.ok("files", "c is well");
        let mut others = Findings::default();
        others.fault("files", "d differs");
        others.warn("tls", "old");
        findings.merge(others);
        let rows: Vec<_> = findings.checks().iter().map(|c| (c.name, c.mark, c.what.clone())).collect();
        let expected =
            [("tls", Mark::Warn, "old".to_owned()), ("files", Mark::Fault, "a differs (and 2 more)".to_owned())];
        assert_eq!(rows, expected);
        assert_eq!(findings.faults(), 3);
        let report = Report { findings, shows_results: true, ..Report::default() };
        assert_eq!((report.verdict(), report.worst().unwrap().name), (Verdict::Differs, "files"));
    }

    #[test]
    fn names_are_told_apart() {
        let mut names: Vec<_> = CHECKS.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CHECKS.len());
    }
}
