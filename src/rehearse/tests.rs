//! What holds for every night, seen from the outside.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;

use super::{CorteFiles, Night};

fn json(files: &CorteFiles, path: &str) -> Value {
    let found = files.files.iter().find(|(p, _)| p == path).unwrap_or_else(|| panic!("{path} is missing"));
    serde_json::from_slice(&found.1).unwrap()
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} in {value}"))
}

fn unzip(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|i| {
            let mut file = archive.by_index(i).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

/// The database's three files, out of the ZIP in the ZIP.
fn database(files: &CorteFiles, path: &str) -> BTreeMap<String, Vec<u8>> {
    let outer = unzip(&files.files.iter().find(|(p, _)| p == path).unwrap().1);
    assert_eq!(outer.len(), 1);
    unzip(outer.values().next().unwrap())
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (a, b, c) = (Night::synthetic(7), Night::synthetic(7), Night::synthetic(8));
    for n in [0, 30, 65] {
        assert_eq!(a.corte(n).files, b.corte(n).files);
    }
    assert_ne!(a.corte(30).files, c.corte(30).files);
}

#[test]
fn coahuila_has_its_districts_municipalities_and_casillas() {
    for seed in [0, 1, 2026, u64::MAX] {
        let night = Night::synthetic(seed);
        assert_eq!(night.eleccion(), "coahuila-2026-diputaciones");
        assert_eq!(night.cortes(), 66);
        let first = night.corte(0);
        assert_eq!(first.stamp.to_string(), "2026-06-07T18:30:00-06:00[America/Monterrey]");
        assert_eq!((first.actas.esperadas, first.actas.capturadas), (Some(4_283), Some(0)));
        let static_part = json(&first, "datos/eleccion.json");
        assert_eq!(static_part["distritos"].as_array().unwrap().len(), 16);
        assert_eq!(static_part["municipios"].as_array().unwrap().len(), 38);
        let mut used: Vec<usize> = night.actas.iter().filter_map(|a| a.municipio).collect();
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), 38);
        let lista: u64 = night.actas.iter().map(|a| u64::from(a.lista_nominal)).sum();
        assert!((2_300_000..2_500_000).contains(&lista), "{lista}");
        let mut names: Vec<_> = night.actas.iter().map(|a| (a.seccion, &a.casilla)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 4_283, "a casilla twice");
    }
}

#[test]
fn districts_add_up_and_counts_never_fall() {
    let night = Night::synthetic(2026);
    let mut before = 0;
    for n in 0..night.cortes() {
        let cut = night.cut(n);
        let total = &cut.cuenta.total;
        assert!(total.capturadas >= before);
        assert!(total.contabilizadas <= total.capturadas);
        before = total.capturadas;
        for column in 0..total.columnas.len() {
            assert_eq!(total.columnas[column], cut.cuenta.distritos.iter().map(|d| d.columnas[column]).sum::<u64>());
        }
        assert_eq!(cut.cuenta.votos.iter().sum::<u64>(), total.total());
    }
    let last = night.cut(65);
    let share = before as f64 / 4283.0;
    assert!((0.90..0.98).contains(&share), "{share}");
    let turnout: f64 = last.cuenta.total.participation(true).parse().unwrap();
    assert!((52.0..60.0).contains(&turnout), "{turnout}");
    assert!(last.cuenta.total.contabilizadas < last.cuenta.total.capturadas);
}

#[test]
fn nobody_votes_twice() {
    for acta in Night::synthetic(3).actas.iter().filter(|a| a.contabilizada) {
        let most = if acta.especial { super::votos::BOLETAS_ESPECIAL } else { acta.lista_nominal };
        assert!(acta.votos.iter().sum::<u32>() <= most, "{acta:?}");
    }
}

#[test]
fn every_json_names_its_corte_and_says_what_it_is() {
    let night = Night::synthetic(5);
    for n in [0, 12, 65] {
        let files = night.corte(n);
        let id = json(&files, "datos/corte.json")["corte"].clone();
        assert_eq!(json(&files, "datos/corte.json")["final"], n == 65);
        for (path, bytes) in files.files.iter().filter(|(p, _)| p.ends_with(".json")) {
            let value: Value = serde_json::from_slice(bytes).unwrap();
            assert!(value["aviso"].as_str().unwrap().contains("no son resultados"), "{path}");
            if path != "datos/eleccion.json" {
                assert_eq!(value["corte"], id, "{path}");
            }
        }
        let results = json(&files, "datos/resultados.json");
        let sum: u64 = results["distritos"].as_array().unwrap().iter().map(|d| number(d, "total_votos")).sum();
        assert_eq!(sum, number(&results["total"], "total_votos"));
        let district = json(&files, "datos/distrito_05.json");
        let sections = district["secciones"].as_array().unwrap();
        let here: u64 = sections.iter().map(|s| number(s, "total_votos")).sum();
        assert_eq!(here, number(&results["distritos"][4], "total_votos"));
        let html =
            files.files.iter().find(|(p, _)| p == "index.html").map(|(_, b)| String::from_utf8_lossy(b)).unwrap();
        assert!(html.contains("SIMULACRO") && html.contains("no son resultados de ninguna elección"));
        assert!(!html.contains("{{"), "an unfilled place");
        let bytes: usize = files.files.iter().map(|f| f.1.len()).sum();
        assert!((500_000..6_000_000).contains(&bytes), "{bytes}");
    }
}

/// `default-src 'self'` holds, and the site works below any path.
#[test]
fn the_page_asks_nobody_else_and_has_nothing_inline() {
    for (path, bytes) in Night::synthetic(1).corte(40).files {
        if !(path.ends_with(".html") || path.ends_with(".js") || path.ends_with(".css")) {
            continue;
        }
        let text = String::from_utf8(bytes).unwrap().replace("http://www.w3.org/2000/svg", "");
        for banned in ["http:", "https:", "style=", "<style", "onclick", "src=\"/", "href=\"/", "eval(", "innerHTML"] {
            assert!(!text.contains(banned), "{path}: {banned}");
        }
    }
}

#[test]
fn the_database_is_a_zip_in_a_zip_with_a_row_for_every_casilla() {
    let night = Night::synthetic(5);
    for n in [0, 20, 65] {
        let files = database(&night.corte(n), "descargas/PREP_COAH.zip");
        assert_eq!(
            files.keys().collect::<Vec<_>>(),
            ["COAH_DIP_CANDIDATURAS_2026.csv", "COAH_DIP_LOC_2026.csv", "LEEME.txt"]
        );
        let csv = String::from_utf8(files["COAH_DIP_LOC_2026.csv"].clone()).unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 6 + 4_283);
        let columns = lines[5].split(',').count();
        assert!(lines.iter().skip(6).all(|l| l.split(',').count() == columns));
        assert!(lines[0].contains("SIMULACRO"));
        assert!((500_000..2_500_000).contains(&csv.len()), "{}", csv.len());
    }
}

#[test]
fn the_demo_database_is_read_back_as_the_same_night() {
    let night = Night::synthetic(11);
    let last = night.corte(65);
    let again = Night::from_csv(&database(&last, "descargas/PREP_COAH.zip")["COAH_DIP_LOC_2026.csv"]).unwrap();
    let end = again.corte(again.cortes() - 1);
    assert_eq!(end.actas, last.actas);
    let (a, b) = (json(&last, "datos/resultados.json"), json(&end, "datos/resultados.json"));
    assert_eq!(a["votos"], b["votos"]);
    assert_eq!(a["total"], b["total"]);
    assert_eq!(b["aviso"], a["aviso"], "invented figures stay marked as invented");
}

#[test]
fn faults_have_a_place_and_a_remedy() {
    let head = "ELECCION\n01/06/2024 20:00 (UTC-6)\n\nID_DISTRITO|SECCION|TIPO_ACTA|PAN|NULOS|LISTA_NOMINAL|FECHA_HORA_VERIFICACION\n";
    let fault = |row: &str| Night::from_csv(format!("{head}{row}\n").as_bytes()).unwrap_err().to_string();
    assert_eq!(
        fault("1|2|2|5|0|x|2024-06-02 20:00:00"),
        "line 5, column LISTA_NOMINAL: `x` is not a whole number from 0 to 999999; correct the value"
    );
    assert!(fault("1|2|2|5").starts_with("line 5: 4 values for 7 columns"));
    assert!(fault("1|2|2|5|0|9|ayer").contains("column FECHA_HORA_VERIFICACION: `ayer`"));
    assert!(fault("1|2|2|5|0|9|-").contains("no row has a time"));
    assert!(Night::from_csv(b"").unwrap_err().to_string().contains("SECCION"));
    let one = Night::from_csv(format!("{head}1|2|2|5|0|9|2024-06-02 20:00:01\n").as_bytes()).unwrap();
    assert_eq!(one.cortes(), 1);
    assert_eq!(one.corte(0).stamp.strftime("%H:%M %:z").to_string(), "20:10 -06:00");
    assert_eq!(one.corte(0).actas.contabilizadas, Some(1));
}

fn real_database() -> Option<Vec<u8>> {
    let base = std::env::var_os("DIFUSOR_DATA").map(PathBuf::from);
    let base = base.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let bytes = std::fs::read(base.join("qroo-2019/20190603_0547_PREP_DIP_QROO.zip")).ok()?;
    unzip(&bytes).remove("QROO_DIP_LOC_2019.csv")
}

#[test]
fn quintana_roo_2019_is_rebuilt() {
    let Some(bytes) = real_database() else {
        println!("passed over: the Quintana Roo database is not here (DIFUSOR_DATA names its folder)");
        return;
    };
    let night = Night::from_csv(&bytes).unwrap();
    assert_eq!(night.eleccion(), "quintana-roo-2019-diputaciones-locales");
    assert_eq!(night.cortes(), 66);
    let first = night.corte(0);
    assert_eq!(first.stamp.strftime("%Y-%m-%dT%H:%M%:z").to_string(), "2019-06-02T19:00-05:00");
    let last = night.corte(65);
    assert!(last.is_final);
    assert_eq!(last.actas.esperadas, Some(2_136));
    assert_eq!(last.actas.capturadas, Some(2_136));
    assert_eq!(last.actas.contabilizadas, Some(2_031));
    // As the authority's own site had it.
    let results = json(&last, "datos/resultados.json");
    assert_eq!(number(&results["total"], "total_votos"), 263_005);
    assert_eq!(results["total"]["participacion"], "22.1523");
    let own = |clave: &str| {
        let votes = results["votos"].as_array().unwrap();
        votes.iter().find(|v| v["clave"] == clave).map(|v| (number(v, "votos"), number(v, "distritos"))).unwrap()
    };
    assert_eq!(own("PAN_PRD_PESQROO"), (67_354, 3));
    assert_eq!(own("PVEM_PT_MORENA"), (90_135, 11));
    assert_eq!(own("PRI"), (32_213, 1));
    assert_eq!(own("PVEM"), (2_971, 0));
    assert_eq!(own("NULOS"), (16_910, 0));
    let files = database(&last, "descargas/PREP_QROO.zip");
    assert_eq!(String::from_utf8_lossy(&files["QROO_DIP_LOC_2019.csv"]).lines().count(), 6 + 2_136);
    assert!(String::from_utf8_lossy(&files["LEEME.txt"]).contains("Reconstrucción"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_file_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Night::from_csv(&bytes);
    }

    /// Lines that look right, with anything in the fields: what is accepted can be published.
    #[test]
    fn no_row_makes_it_panic(rows in prop::collection::vec(prop::collection::vec("[0-9A-Zñ\"|,= :/-]{0,20}|[0-9]{1,4}|2024-06-02 2[0-3]:1[0-9]:00", 11), 0..6)) {
        let mut text = String::from("sep=|\nX (UTC-5)\nID_ESTADO|ID_DISTRITO|DISTRITO|MUNICIPIO|SECCION|TIPO_ACTA|PAN|C_PAN_PRI|NULOS|LISTA_NOMINAL|FECHA_HORA_VERIFICACION\r\n");
        for row in rows {
            text.push_str(&row.join("|"));
            text.push_str("\r\n");
        }
        if let Ok(night) = Night::from_csv(text.as_bytes()) {
            prop_assert!(night.corte(0).files.len() > 10);
        }
    }
}
