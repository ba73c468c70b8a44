//! `difusor audit --watch`: many difusores, looked at again and again, as a table.

use std::io::{IsTerminal, Write, stdout};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::audit::age;
use crate::base::clock::{Clock, Monotonic};
use crate::inspect::{Asked, Mark, Progress, Report, Target, Verdict, audit};

/// Difusores that are looked at at once: there are some 20 in an election.
const AT_ONCE: usize = 16;
/// Ages in the table grow by the second.
const REDRAW_EVERY: Duration = Duration::from_secs(1);
/// Home, and the screen cleared below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// The last that was seen of one.
type Row = Option<(Report, Monotonic)>;

/// Until nobody reads any more. On a terminal the table stands still and is drawn anew; elsewhere each look is a line.
pub async fn run(targets: Vec<Target>, asked: Asked, every: Duration, json: bool) {
    let (sender, mut reports) = mpsc::channel(AT_ONCE);
    let (asked, clock) = (Arc::new(asked), Clock::machine());
    let seats = Arc::new(Semaphore::new(AT_ONCE));
    for (n, target) in targets.iter().cloned().enumerate() {
        let (sender, asked, clock, seats) = (sender.clone(), asked.clone(), clock.clone(), seats.clone());
        tokio::spawn(async move {
            loop {
                let seat = seats.acquire().await;
                let report = audit(&target, &asked, &clock, Arc::new(Progress::default())).await;
                drop(seat);
                if sender.send((n, report)).await.is_err() {
                    return;
                }
                tokio::time::sleep(every).await;
            }
        });
    }
    let is_table = stdout().is_terminal() && !json;
    let mut rows: Vec<Row> = vec![None; targets.len()];
    let mut ticks = tokio::time::interval(REDRAW_EVERY);
    loop {
        tokio::select! {
            Some((n, report)) = reports.recv() => {
                let text = match (is_table, json) {
                    (true, _) => String::new(),
                    (false, true) => format!("{}\n", report.to_json()),
                    (false, false) => format!("{}  {}\n", clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"), cells(&report, 0).join("  ")),
                };
                rows[n] = Some((report, Monotonic::now()));
                if !written(&text) {
                    return;
                }
            }
            _ = ticks.tick(), if is_table => {}
        }
        if is_table && !written(&format!("{CLEAR}{}", table(&targets, &rows))) {
            return;
        }
    }
}

fn written(text: &str) -> bool {
    stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush()).is_ok()
}

const HEADINGS: [&str; 5] = ["URL", "STATE", "CORTE", "AGE", "VERDICT"];

fn cells(report: &Report, since_s: i64) -> [String; 5] {
    let dash = || "-".to_owned();
    let drill = if report.is_drill { " (drill)" } else { "" };
    [
        report.url.clone(),
        report.state.as_ref().map_or_else(dash, |state| format!("{state}{drill}")),
        report.corte.clone().unwrap_or_else(dash),
        report.age_s.map_or_else(dash, |seconds| age(seconds.saturating_add(since_s))),
        verdict(report),
    ]
}

fn verdict(report: &Report) -> String {
    let warned = report.findings.checks().into_iter().find(|check| check.mark == Mark::Warn);
    match (report.verdict(), report.worst()) {
        (_, Some(check)) => format!("FAULT  {}: {}", check.name, check.what),
        (Verdict::NoResults, _) => "no results, in order".into(),
        _ => warned.map_or("as sent".into(), |check| format!("as sent; {}: {}", check.name, check.what)),
    }
}

fn table(targets: &[Target], rows: &[Row]) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    for (target, row) in targets.iter().zip(rows) {
        lines.push(match row {
            Some((report, seen)) => cells(report, i64::try_from(seen.elapsed().as_secs()).unwrap_or(0)),
            None => [target.to_string(), "-".into(), "-".into(), "-".into(), "looking".into()],
        });
    }
    let width = |n: usize| lines.iter().map(|line| line[n].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_and_the_fault_by_its_name() {
        let targets: Vec<Target> = vec!["https://a.mx".parse().unwrap(), "https://bb.mx".parse().unwrap()];
        let mut report =
            Report { url: "https://a.mx".into(), age_s: Some(240), shows_results: true, ..Report::default() };
        assert_eq!(verdict(&report), "as sent");
        report.findings.fault("files", "one differs");
        let table = table(&targets, &[Some((report, Monotonic::now())), None]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "URL            STATE  CORTE  AGE    VERDICT");
        assert_eq!(lines[1], "https://a.mx   -      -      4 min  FAULT  files: one differs");
        assert_eq!(lines[2], "https://bb.mx  -      -      -      looking");
    }
}
