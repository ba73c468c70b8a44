//! The table of real nights.

use bytes::Bytes;

use crate::coded::{Sizes, versions};
use crate::heads::Heads;
use crate::material::Material;

/// What a reader of the whole site takes at every corte: page, poll file, state totals, one district, one acta list.
const TAKEN: [&str; 5] = [
    "index.html",
    "datos/corte.json",
    "datos/resultados.json",
    "datos/distrito_01.json",
    "datos/distrito_01_casillas.json",
];
/// What the call asks of a difusor's line, in bytes for each corte of 10 minutes.
const LINE_BYTES: f64 = 100e6 / 8.0 * 600.0;
/// Part of readers whose browsers know dictionaries.
const WITH_DICTIONARIES: f64 = 0.7;

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
    println!(
        "| what | gzip | nginx, brotli 11 | difusor, no dictionaries | dcz as it goes live | with dictionaries | nginx / dictionaries |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let (actas, took) = versions("actas.csv", &material.actas);
    row("the acta CSV", &actas);
    if !material.diputados.is_empty() {
        let (diputados, _) = versions("Diputados_MR_NACIONAL.json", &material.diputados);
        row("`Diputados_MR_NACIONAL.json`", &diputados);
        mean("`Diputados_MR_NACIONAL.json`", &diputados[1..]);
    }
    site(material, heads);
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

/// Bytes of one reader at each corte, with heads, and what a line carries of such.
fn site(material: &Material, heads: &Heads) {
    let cortes = material.cortes.len();
    let (mut nginx, mut without, mut with) = (vec![0; cortes], vec![0; cortes], vec![0; cortes]);
    let mut all = Vec::new();
    for path in TAKEN {
        let of =
            |files: &Vec<(String, Bytes)>| files.iter().find(|(name, _)| name == path).map(|(_, bytes)| bytes.clone());
        let bodies: Vec<Bytes> = material.cortes.iter().filter_map(of).collect();
        let (sizes, _) = versions(path, &bodies);
        row(&format!("`{path}`"), &sizes);
        for (n, one) in sizes.iter().enumerate() {
            let whole =
                |body: usize, whole: usize, not_modified: usize| if one.is_same { not_modified } else { body + whole };
            nginx[n] += whole(one.nginx(), heads.nginx, heads.nginx_304);
            without[n] += whole(one.shortest(), heads.plain, heads.not_modified);
            let head = if one.difference() < one.shortest() { heads.difference } else { heads.plain };
            with[n] += whole(one.difference(), head, heads.not_modified);
        }
        all.extend(sizes);
    }
    row("the five of the site together", &all);
    let sum = |all: &[usize]| all.iter().sum::<usize>() as f64;
    println!(
        "| the same with heads over HTTP/1.1 | | {:.3} | {:.3} | | {:.3} | {:.1} |",
        sum(&nginx) / 1e6,
        sum(&without) / 1e6,
        sum(&with) / 1e6,
        sum(&nginx) / sum(&with)
    );
    println!("\n## Readers that 100 Mbps carries in one corte\n");
    println!(
        "Each takes the five files of the site once, with heads over HTTP/1.1; TCP's and IP's own bytes are not counted. {:.0} % of difusor's",
        100.0 * WITH_DICTIONARIES
    );
    println!("readers know dictionaries and have been there at the corte before.\n");
    println!("| cortes | nginx, brotli 11 | difusor | times as many |");
    println!("| --- | ---: | ---: | ---: |");
    for (what, from, to) in
        [("mean of all but the first", 1, cortes), ("the largest", 0, 0), ("the last ten", cortes - 10, cortes)]
    {
        let mixed = |n: usize| WITH_DICTIONARIES * with[n] as f64 + (1.0 - WITH_DICTIONARIES) * without[n] as f64;
        let (theirs, ours) = if to == 0 {
            let worst = (1..cortes).max_by(|a, b| mixed(*a).total_cmp(&mixed(*b))).unwrap();
            (nginx[worst] as f64, mixed(worst))
        } else {
            let count = (to - from) as f64;
            (sum(&nginx[from..to]) / count, (from..to).map(mixed).sum::<f64>() / count)
        };
        println!("| {what} | {:.0} | {:.0} | {:.2} |", LINE_BYTES / theirs, LINE_BYTES / ours, theirs / ours);
    }
}
