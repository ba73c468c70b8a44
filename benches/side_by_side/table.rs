//! What is reported: medians, spreads and ratios, as a table for people and as JSON for programs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::Fault;
use crate::cells::Table;
use crate::contenders;
use crate::machine::Facts;
use crate::measure::{Plan, Row, Sample, Series};
use crate::peers::Peer;

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

    /// For each table that has rows two in Markdown: by the server's CPU time with ratios, and by the clock.
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
        for (table, title) in [(Table::Own, "Own files"), (Table::Proxied, "Of an origin")] {
            if self.rows(table).next().is_none() {
                continue;
            }
            let _ = writeln!(out, "{title}: thousands of requests (or handshakes) per CPU-second of the server:\n");
            self.by_cpu(table, &mut out);
            let clock = "thousands per second by the clock; ~ where the server used under 90 % of its core";
            let _ = writeln!(out, "\n{title}: {clock}:\n");
            self.by_clock(table, &mut out);
            out.push('\n');
        }
        for (cell, peer, fault) in self.faults() {
            let _ = writeln!(out, "FAILED {cell}, {peer}: {fault}");
        }
        out
    }

    fn by_cpu(&self, table: Table, out: &mut String) {
        let (columns, pairs) = (self.columns(table), self.pairs(table));
        let ratios = pairs.iter().map(|(a, b)| format!("{a} / {b}"));
        table_head(out, columns.iter().map(|name| (*name).to_owned()).chain(ratios));
        for row in self.rows(table) {
            let shown = |s: &Series| cell(s, |x| x.per_cpu_second).unwrap_or("failed".into());
            let mut line: Vec<String> =
                columns.iter().map(|name| row.series.get(name).map_or("-".into(), shown)).collect();
            for (a, b) in &pairs {
                let both = row.series.get(a).zip(row.series.get(b));
                let ratio = both.and_then(|(a, b)| ratio(a, b, |x| x.per_cpu_second));
                line.push(ratio.map_or("-".into(), |r| format!("{r:.2}")));
            }
            let _ = writeln!(out, "| {} | {} |", row.name, line.join(" | "));
        }
    }

    fn by_clock(&self, table: Table, out: &mut String) {
        let columns = self.columns(table);
        table_head(out, columns.iter().map(|name| (*name).to_owned()));
        for row in self.rows(table) {
            let shown = |s: &Series| {
                let busy = median(s.samples.iter().map(|x| x.busy)).unwrap_or(0.0);
                let mark = if busy < SATURATED { "~" } else { "" };
                cell(s, |x| x.per_second).map_or("failed".into(), |text| format!("{mark}{text}"))
            };
            let line: Vec<String> = columns.iter().map(|name| row.series.get(name).map_or("-".into(), shown)).collect();
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
            .pairs(row.table)
            .into_iter()
            .filter_map(|(a, b)| Some((a, b, row.series.get(a)?, row.series.get(b)?)))
            .map(|(a, b, of_a, of_b)| (format!("{a}/{b}"), json!(ratio(of_a, of_b, |x| x.per_cpu_second))))
            .collect();
        json!({ "cell": row.name, "peers": peers, "ratios_per_cpu_second": ratios })
    }

    fn rows(&self, table: Table) -> impl Iterator<Item = &Row> {
        self.results.iter().filter(move |row| row.table == table)
    }

    /// Who has a column: everybody who is in any of the rows.
    fn columns(&self, table: Table) -> Vec<&'static str> {
        let is_here = |name: &&str| self.rows(table).any(|row| row.series.contains_key(name));
        contenders::columns(table).iter().copied().filter(is_here).collect()
    }

    /// Which ratios are shown, of those who are there.
    fn pairs(&self, table: Table) -> Vec<(&'static str, &'static str)> {
        let columns = self.columns(table);
        let are_here = |(a, b): &(&str, &str)| columns.contains(a) && columns.contains(b);
        contenders::pairs(table).iter().copied().filter(are_here).collect()
    }

    fn faults(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let all = self.results.iter().flat_map(|row| row.series.iter().map(move |(peer, s)| (row, *peer, s)));
        all.filter_map(|(row, peer, s)| Some((row.name.as_str(), peer, s.fault.as_deref()?)))
    }
}

fn table_head(out: &mut String, columns: impl Iterator<Item = String>) {
    let columns: Vec<String> = columns.collect();
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
