//! What is reported: medians, spreads and ratios, as a table for people and as JSON for programs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::Fault;
use crate::machine::Facts;
use crate::measure::{Plan, Row, Sample, Series};
use crate::peers::{Kind, Peer};

pub struct Report<'a> {
    pub facts: Facts,
    pub plan: Plan,
    pub peers: &'a [Peer],
    /// Who could not be started, and why.
    pub absent: Vec<(&'static str, String)>,
    pub results: Vec<Row>,
}

/// Below this share of its core the server was waiting for the client.
const SATURATED: f64 = 0.9;

impl Report<'_> {
    pub fn failures(&self) -> usize {
        self.results.iter().flat_map(|row| row.series.values()).filter(|s| s.fault.is_some()).count()
    }

    /// Two tables in Markdown: by the server's CPU time with ratios, and by the clock.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for (name, fact) in &self.facts {
            let _ = writeln!(out, "- {name}: {fact}");
        }
        for peer in self.peers {
            let _ = writeln!(out, "- {}: {}", peer.kind.name(), peer.about);
        }
        for (name, why) in &self.absent {
            let _ = writeln!(out, "- {name}: LEFT OUT, {why}");
        }
        let Plan { seconds, rounds } = self.plan;
        let _ = writeln!(out, "- rounds: {rounds} of {seconds} s a cell and server, medians, ± half the range\n");
        let _ = writeln!(out, "Thousands of requests (or handshakes) per CPU-second of the server:\n");
        self.by_cpu(&mut out);
        let _ = writeln!(out, "\nThousands per second by the clock; ~ where the server used under 90 % of its core:\n");
        self.by_clock(&mut out);
        for (cell, peer, fault) in self.faults() {
            let _ = writeln!(out, "\nFAILED {cell}, {peer}: {fault}");
        }
        out
    }

    fn by_cpu(&self, out: &mut String) {
        let mut head: Vec<String> = self.peers.iter().map(|p| p.kind.name().to_owned()).collect();
        head.extend(self.pairs().iter().map(|(a, b)| format!("{a} / {b}")));
        table_head(out, &head);
        for row in &self.results {
            let mut line: Vec<String> =
                self.series(row).map(|s| cell(s, |x| x.per_cpu_second).unwrap_or("failed".into())).collect();
            for (a, b) in self.pairs() {
                let ratio = ratio(&row.series[a], &row.series[b], |x| x.per_cpu_second);
                line.push(ratio.map_or("-".into(), |r| format!("{r:.2}")));
            }
            let _ = writeln!(out, "| {} | {} |", row.name, line.join(" | "));
        }
    }

    fn by_clock(&self, out: &mut String) {
        let head: Vec<String> = self.peers.iter().map(|p| p.kind.name().to_owned()).collect();
        table_head(out, &head);
        for row in &self.results {
            let line: Vec<String> = self
                .series(row)
                .map(|s| {
                    let busy = median(s.samples.iter().map(|x| x.busy)).unwrap_or(0.0);
                    let mark = if busy < SATURATED { "~" } else { "" };
                    cell(s, |x| x.per_second).map_or("failed".into(), |text| format!("{mark}{text}"))
                })
                .collect();
            let _ = writeln!(out, "| {} | {} |", row.name, line.join(" | "));
        }
    }

    pub fn write_json(&self, path: &Path) -> Result<(), Fault> {
        let peers: Map<String, Value> =
            self.peers.iter().map(|p| (p.kind.name().to_owned(), json!({ "about": p.about }))).collect();
        let absent: Map<String, Value> = self.absent.iter().map(|(n, why)| ((*n).to_owned(), json!(why))).collect();
        let cells: Vec<Value> = self.results.iter().map(|row| self.json_row(row)).collect();
        let all = json!({
            "machine": self.facts, "plan": self.plan, "peers": peers, "left_out": absent, "cells": cells,
        });
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, format!("{all:#}\n"))?;
        Ok(())
    }

    fn json_row(&self, row: &Row) -> Value {
        let mut peers = Map::new();
        for (name, series) in &row.series {
            let mut one = json!(series);
            one["median_per_second"] = json!(median(series.samples.iter().map(|x| x.per_second)));
            one["median_per_cpu_second"] = json!(median(series.samples.iter().map(|x| x.per_cpu_second)));
            one["spread_per_cpu_second"] = json!(spread(series, |x| x.per_cpu_second));
            peers.insert((*name).to_owned(), one);
        }
        let ratios: Map<String, Value> = self
            .pairs()
            .into_iter()
            .map(|(a, b)| (format!("{a}/{b}"), json!(ratio(&row.series[a], &row.series[b], |x| x.per_cpu_second))))
            .collect();
        json!({ "cell": row.name, "peers": peers, "ratios_per_cpu_second": ratios })
    }

    /// Which ratios are shown: everybody to nginx, difusor to bare hyper.
    fn pairs(&self) -> Vec<(&'static str, &'static str)> {
        let here = |kind: Kind| self.peers.iter().any(|p| p.kind == kind);
        [(Kind::Hyper, Kind::Nginx), (Kind::Difusor, Kind::Nginx), (Kind::Difusor, Kind::Hyper)]
            .into_iter()
            .filter(|(a, b)| here(*a) && here(*b))
            .map(|(a, b)| (a.name(), b.name()))
            .collect()
    }

    fn series<'r>(&'r self, row: &'r Row) -> impl Iterator<Item = &'r Series> {
        self.peers.iter().map(|p| &row.series[p.kind.name()])
    }

    fn faults(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let all = self.results.iter().flat_map(|row| row.series.iter().map(move |(peer, s)| (row, *peer, s)));
        all.filter_map(|(row, peer, s)| Some((row.name.as_str(), peer, s.fault.as_deref()?)))
    }
}

fn table_head(out: &mut String, columns: &[String]) {
    let _ = writeln!(out, "| cell | {} |", columns.join(" | "));
    let _ = writeln!(out, "| --- |{}", " ---: |".repeat(columns.len()));
}

/// "91.3 ±2 %": the median in thousands, and half the range as a share of it.
fn cell(series: &Series, of: fn(&Sample) -> f64) -> Option<String> {
    let middle = median(series.samples.iter().map(of))? / 1000.0;
    let digits = if middle < 10.0 { 2 } else { 1 };
    Some(format!("{middle:.digits$} ±{:.0} %", spread(series, of)? * 100.0))
}

fn spread(series: &Series, of: fn(&Sample) -> f64) -> Option<f64> {
    let values = || series.samples.iter().map(of);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    Some((high - low) / 2.0 / median(values())?)
}

/// The median of the rounds' own ratios: two runs of one round are neighbours in time, so what disturbed the machine
/// for longer than a round cancels out.
fn ratio(a: &Series, b: &Series, of: fn(&Sample) -> f64) -> Option<f64> {
    let pairs = a.samples.iter().filter_map(|x| Some((x, b.samples.iter().find(|y| y.round == x.round)?)));
    median(pairs.map(|(x, y)| of(x) / of(y)))
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}
