//! The table of real nights.

use std::ops::Range;

use crate::coded::{Sizes, versions};
use crate::heads::{Heads, Ours, PROTOCOLS, Theirs};
use crate::material::Material;

/// What a reader of the whole site takes at every corte: page, poll file, state totals, one district, one acta list.
pub const TAKEN: [&str; 5] = [
    "index.html",
    "datos/corte.json",
    "datos/resultados.json",
    "datos/distrito_01.json",
    "datos/distrito_01_casillas.json",
];
/// What the call asks of a difusor's line, in bytes for each corte of 10 minutes.
const LINE_BYTES: f64 = 100e6 / 8.0 * 600.0;
/// Part of readers whose browsers know dictionaries.
pub const WITH_DICTIONARIES: f64 = 0.7;

const COLUMNS: &str = "\
| what | gzip | nginx, brotli 11 | difusor, no dictionaries | dcz as it goes live | with dictionaries | nginx / dictionaries |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |";

pub fn print(material: &Material, heads: &Heads) {
    println!("\n## One reader's night\n");
    println!(
        "Quintana Roo 2019 rebuilt as {} cortes; 2018 as it was fetched, {} different versions.",
        material.cortes.len(),
        material.diputados.len()
    );
    println!(
        "Bodies alone, in MB, but where heads are named. Each version comes as the best the reader's browser takes; the first"
    );
    println!("has nothing to differ from.\n");
    println!("{COLUMNS}");
    if !material.diputados.is_empty() {
        let (diputados, _) = versions("Diputados_MR_NACIONAL.json", &material.diputados);
        row("`Diputados_MR_NACIONAL.json`", &diputados);
        mean("`Diputados_MR_NACIONAL.json`", &diputados[1..]);
    }
    let (takes, bodies) = site(material, heads);
    bounds(&takes, bodies, heads);
    carried(&takes);
    // What takes longest comes last.
    println!("\n## The acta CSV\n\n{COLUMNS}");
    let (actas, took) = versions("actas.csv", &material.actas);
    row("the acta CSV", &actas);
    println!(
        "\nBest codings and differences of the {} acta CSVs: {took:.0} s of threads' time by the clock.",
        actas.len()
    );
}

fn megabytes(sizes: &[Sizes], of: impl Fn(&Sizes) -> usize) -> f64 {
    sizes.iter().filter(|one| !one.is_same).map(|one| of(one) as f64).sum::<f64>() / 1e6
}

fn row(what: &str, sizes: &[Sizes]) {
    let sum = |of: fn(&Sizes) -> usize| megabytes(sizes, of);
    let fast = sum(|one| one.dcz_fast.unwrap_or(usize::MAX).min(one.shortest()));
    let (nginx, with) = (sum(Sizes::nginx), sum(Sizes::difference));
    println!(
        "| {what} | {:.3} | {nginx:.3} | {:.3} | {fast:.3} | {with:.3} | {:.1} |",
        sum(|one| one.gzip),
        sum(Sizes::shortest),
        nginx / with
    );
}

fn mean(what: &str, sizes: &[Sizes]) {
    let of = |of: fn(&Sizes) -> Option<usize>| {
        let all: Vec<usize> = sizes.iter().filter_map(of).collect();
        (all.iter().sum::<usize>() as f64 / all.len().max(1) as f64, all.len())
    };
    let (br, dcb, dcz) = (of(|one| Some(one.br)).0, of(|one| one.dcb), of(|one| one.dcz));
    println!(
        "| {what}, bytes each | | {br:.0} | | | dcb {:.0} ({}), dcz {:.0} ({}) | {:.2} |",
        dcb.0,
        dcb.1,
        dcz.0,
        dcz.1,
        br / dcb.0.min(dcz.0)
    );
}

/// Bytes of one reader at each corte, with heads, over one protocol.
pub struct Takes {
    /// nginx with brotli 11 beside each file, with gzip -9, and as Debian sets it up: pages at level 1, all else as it is.
    nginx: [Vec<usize>; 3],
    without: Vec<usize>,
    with: Vec<usize>,
}

/// What nginx is set up with, as columns.
const SETTINGS: [&str; 3] = ["brotli 11", "gzip -9", "as Debian has it"];

impl Takes {
    pub fn new(cortes: usize) -> Takes {
        let none = vec![0; cortes];
        Takes { nginx: [none.clone(), none.clone(), none.clone()], without: none.clone(), with: none }
    }

    /// One file's, corte by corte.
    pub fn add(&mut self, path: &str, sizes: &[Sizes], ours: &Ours, theirs: &Theirs) {
        let is_page = path.ends_with(".html");
        for (n, one) in sizes.iter().enumerate() {
            let least = |coded: usize| if coded < one.plain { coded + theirs.coded } else { one.plain + theirs.plain };
            let stock = if is_page { one.gzip_1 + theirs.streamed } else { one.plain + theirs.plain };
            let nginx = [least(one.br), least(one.gzip_9), stock];
            for (all, bytes) in self.nginx.iter_mut().zip(nginx) {
                all[n] += if one.is_same { theirs.not_modified } else { bytes };
            }
            let whole = |bytes: usize| if one.is_same { ours.not_modified } else { bytes };
            self.without[n] += whole(one.shortest() + ours.plain);
            let head = if one.difference() < one.shortest() { ours.difference } else { ours.plain };
            self.with[n] += whole(one.difference() + head);
        }
    }

    fn mixed(&self, n: usize) -> f64 {
        WITH_DICTIONARIES * self.with[n] as f64 + (1.0 - WITH_DICTIONARIES) * self.without[n] as f64
    }

    /// Means over these cortes: nginx's three, and the mixture.
    pub fn mean(&self, cortes: Range<usize>) -> ([f64; 3], f64) {
        let count = cortes.len() as f64;
        let theirs = |all: &Vec<usize>| all[cortes.clone()].iter().sum::<usize>() as f64 / count;
        (self.nginx.each_ref().map(theirs), cortes.clone().map(|n| self.mixed(n)).sum::<f64>() / count)
    }
}

/// The least that a difference can have: the head of `dcb` (RFC 9842, section 4).
const DIFFERENCE_LEAST_BYTES: usize = 36;

/// What stands between a reader with dictionaries and ten times fewer bytes, by the response: each line takes something away.
fn bounds(takes: &[Takes; 2], bodies: Vec<Sizes>, heads: &Heads) {
    let changed: Vec<&Sizes> = bodies.iter().filter(|one| !one.is_same).collect();
    let count = changed.len() as f64;
    let ours = changed.iter().map(|one| one.difference() as f64).sum::<f64>() / count;
    let is_difference = |one: &&&Sizes| one.difference() < one.shortest();
    let differences: Vec<usize> = changed.iter().filter(is_difference).map(|one| one.difference()).collect();
    let least = |one: &&Sizes| if is_difference(&one) { DIFFERENCE_LEAST_BYTES } else { one.shortest() };
    let least = changed.iter().map(|one| least(one) as f64).sum::<f64>() / count;
    println!("\n## Bounds of the five of the site\n");
    println!(
        "{} responses, {} of them differences of {:.0} bytes in the mean (from {} to {}), the others whole.\n",
        changed.len(),
        differences.len(),
        differences.iter().sum::<usize>() as f64 / differences.len().max(1) as f64,
        differences.iter().min().unwrap_or(&0),
        differences.iter().max().unwrap_or(&0)
    );
    println!("| bytes a response, with heads over | {} |", PROTOCOLS.join(" | "));
    println!("| --- | ---: | ---: |");
    let theirs: Vec<f64> = takes.iter().map(|takes| takes.nginx[0].iter().sum::<usize>() as f64 / count).collect();
    let row = |what: &str, of: &dyn Fn(usize) -> f64| {
        let cells: Vec<String> =
            (0..PROTOCOLS.len()).map(|n| format!("{:.0} ({:.1})", of(n), theirs[n] / of(n))).collect();
        println!("| {what} | {} |", cells.join(" | "));
    };
    let head = |n: usize| heads.ours[n].difference as f64;
    row("nginx, brotli 11", &|n| theirs[n]);
    row("ten times fewer", &|n| theirs[n] / 10.0);
    row("difusor", &|n| takes[n].with.iter().sum::<usize>() as f64 / count);
    row("if heads were nothing", &|_| ours);
    row("if differences were the head that RFC 9842 gives them, and nothing else", &|n| least + head(n));
    row("both", &|_| least);
}

/// The site's rows; what a reader of it takes over HTTP/1.1 and HTTP/2; and all versions of its files.
fn site(material: &Material, heads: &Heads) -> ([Takes; 2], Vec<Sizes>) {
    let cortes = material.cortes.len();
    let mut takes = [Takes::new(cortes), Takes::new(cortes)];
    let mut all = Vec::new();
    for path in TAKEN {
        let (sizes, _) = versions(path, &material.versions_of(path));
        row(&format!("`{path}`"), &sizes);
        for (n, takes) in takes.iter_mut().enumerate() {
            takes.add(path, &sizes, &heads.ours[n], &heads.theirs[n]);
        }
        all.extend(sizes);
    }
    row("the five of the site together", &all);
    let megabytes = |all: &[usize]| all.iter().sum::<usize>() as f64 / 1e6;
    for (protocol, takes) in PROTOCOLS.iter().zip(&takes) {
        let (nginx, with) = (megabytes(&takes.nginx[0]), megabytes(&takes.with));
        println!(
            "| the same with heads over {protocol} | {:.3} | {nginx:.3} | {:.3} | | {with:.3} | {:.1} |",
            megabytes(&takes.nginx[1]),
            megabytes(&takes.without),
            nginx / with
        );
    }
    (takes, all)
}

/// What a line carries of such.
fn carried(takes: &[Takes; 2]) {
    let cortes = takes[0].with.len();
    println!("\n## Readers that 100 Mbps carries in one corte\n");
    println!(
        "Each takes the five files of the site once, with heads; TCP's and IP's own bytes are not counted. {:.0} % of difusor's readers know",
        100.0 * WITH_DICTIONARIES
    );
    println!(
        "dictionaries and have been there at the corte before. The others take brotli: against nginx with brotli no server can carry more than {:.2} times as many.\n",
        1.0 / (1.0 - WITH_DICTIONARIES)
    );
    let columns: Vec<String> = SETTINGS.iter().map(|what| format!("nginx, {what}")).collect();
    let times: Vec<String> = SETTINGS.iter().map(|what| format!("times {what}")).collect();
    println!("| cortes | over | {} | difusor | {} |", columns.join(" | "), times.join(" | "));
    println!("| --- | --- |{}", " ---: |".repeat(2 * SETTINGS.len() + 1));
    for (protocol, takes) in PROTOCOLS.iter().zip(takes) {
        let worst = (1..cortes).max_by(|a, b| takes.mixed(*a).total_cmp(&takes.mixed(*b))).unwrap();
        let rows = [
            ("mean of all but the first", 1..cortes),
            ("the largest", worst..worst + 1),
            ("the last ten", cortes - 10..cortes),
        ];
        for (what, range) in rows {
            let (nginx, ours) = takes.mean(range);
            let carried = nginx.map(|bytes| format!("{:.0}", LINE_BYTES / bytes)).join(" | ");
            let times = nginx.map(|bytes| format!("{:.2}", bytes / ours)).join(" | ");
            println!("| {what} | {protocol} | {carried} | {:.0} | {times} |", LINE_BYTES / ours);
        }
        let all = 1..cortes;
        let plain = all.clone().map(|n| takes.without[n] as f64).sum::<f64>() / all.len() as f64;
        let bound = takes.mean(all).0.map(|nginx| format!("{:.2}", nginx / (plain * (1.0 - WITH_DICTIONARIES))));
        println!("| if differences were nothing at all | {protocol} | | | | | {} |", bound.join(" | "));
    }
}
