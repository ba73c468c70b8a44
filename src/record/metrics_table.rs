//! The table of metrics, for the registry and docs/metrics.md.

/// One metric.
pub struct Row {
    /// Without the ends that OpenMetrics adds: the unit, `_total`.
    pub name: &'static str,
    pub kind: &'static str,
    pub unit: Option<&'static str>,
    /// With their values, for people.
    pub labels: &'static str,
    pub about: &'static str,
}

const fn row(
    name: &'static str,
    kind: &'static str,
    unit: Option<&'static str>,
    labels: &'static str,
    about: &'static str,
) -> Row {
    Row { name, kind, unit, labels, about }
}

const SECONDS: Option<&str> = Some("seconds");
const BYTES: Option<&str> = Some("bytes");

pub static TABLE: [Row; 28] = [
    row(
        "difusor_packages",
        "counter",
        None,
        "`outcome`: live, held, same, refused; `code`: P001 ...",
        "Packages judged",
    ),
    row("difusor_incidents", "counter", None, "`severity`: aviso, advertencia, critico", "Incidents"),
    row("difusor_incidents_suppressed", "counter", None, "", "Incidents that came too often to be written one by one"),
    row("difusor_incidents_lost", "counter", None, "", "Incidents that could not be written"),
    row(
        "difusor_corte_stamp",
        "gauge",
        SECONDS,
        "",
        "The live corte's own date and hour, since 1970; 0 before the first",
    ),
    row("difusor_corte_received", "gauge", SECONDS, "", "When the live corte had arrived, since 1970"),
    row("difusor_corte_live", "gauge", SECONDS, "", "When the live corte went live, since 1970"),
    row(
        "difusor_step",
        "histogram",
        SECONDS,
        "`step`: verify, build, store",
        "How long a step of taking a package in took",
    ),
    row("difusor_vault", "gauge", BYTES, "", "What the vault of cortes takes on the disk"),
    row("difusor_vault_cortes", "gauge", None, "", "Cortes in the vault"),
    row("difusor_disk_free", "gauge", BYTES, "", "Room on the disk of the state folder"),
    row(
        "difusor_fetches",
        "counter",
        None,
        "`source`: its name; `outcome`: new, unchanged, failed",
        "Packages asked for at a source",
    ),
    row(
        "difusor_uploads",
        "counter",
        None,
        "`status`: 201, 202, 200, 422 ...",
        "Packages pushed, by the answer's status",
    ),
    row("difusor_uploads_open", "gauge", None, "", "Packages that are arriving by push or wait for their verdict"),
    row(
        "difusor_turned_away",
        "counter",
        None,
        "`reason`: client-connections, client-requests, head-timeout, unused, handshake-timeout, send-rate, receive-rate, \
         shed, descriptors, proxy-protocol, flood, protocol-error, refused-stream, malformed, head-too-large, target-too-long",
        "Connections and requests that were refused or ended: too many of one client, too slow, idle while others found no \
         room, no requests",
    ),
    row(
        "difusor_connections",
        "gauge",
        None,
        "",
        "Connections of readers that are open; one whose client says nothing is counted after its first second",
    ),
    row(
        "difusor_left_out",
        "counter",
        None,
        "`class`: ordinary, download, image",
        "Requests for what is left out while more is asked for than can be sent",
    ),
    row(
        "difusor_ladder",
        "gauge",
        None,
        "",
        "Steps that are taken of what is left out: 0 all is offered, 1 no images, 2 no downloads, 3 the essentials alone",
    ),
    row(
        "difusor_responses",
        "counter",
        None,
        "`coding`: identity, gzip, br, zstd, dcb, dcz; none: 304, without a body",
        "Responses with files of the package, by content coding",
    ),
    row("difusor_response", "counter", BYTES, "`coding`: the same", "Bytes of their bodies"),
    row("difusor_differences", "gauge", None, "", "Differences of the live corte from earlier ones that are ready"),
    row("difusor_difference", "gauge", BYTES, "", "Bytes of memory that they take"),
    row(
        "difusor_proxied",
        "counter",
        None,
        "`route`: its name; `outcome`: hit, hit-stale, uri-miss, vary-miss, stale, request, partial, collapsed, bypass, method, miss, refused",
        "Requests for what is not in the package, by what the cache did",
    ),
    row(
        "difusor_origin_failures",
        "counter",
        None,
        "`route`: its name; `failure`: unreachable, first-byte-timeout ...",
        "Answers that an origin owed and did not give",
    ),
    row(
        "difusor_origin_ejections",
        "counter",
        None,
        "`upstream`: its name; `place`: an address and port",
        "Times that a place of an origin was left out for a while, because it answered badly",
    ),
    row(
        "difusor_origin_up",
        "gauge",
        None,
        "`upstream`: its name; `place`: an address and port",
        "1 for a place of an origin that passes its health checks, 0 for one that fails them",
    ),
    row(
        "difusor_state",
        "gauge",
        None,
        "`state`: previo, en-espera, vigente, atrasado, interrumpido, final, cerrado",
        "1 for what the public is shown now, 0 for what it was before",
    ),
    row("difusor_start", "gauge", SECONDS, "", "When the service started, since 1970"),
];

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// docs/metrics.md's table.
    fn manual() -> String {
        let mut out = String::from("| metric | kind | labels | what it counts |\n| --- | --- | --- | --- |\n");
        for Row { name, kind, unit, labels, about } in &TABLE {
            let unit = unit.map(|unit| format!("_{unit}")).unwrap_or_default();
            let total = if *kind == "counter" { "_total" } else { "" };
            let _ = writeln!(out, "| `{name}{unit}{total}` | {kind} | {labels} | {about} |");
        }
        out.replace("|  |", "| |")
    }

    #[test]
    fn the_manual_has_the_table() {
        let written = include_str!("../../docs/metrics.md");
        assert!(written.contains(&manual()), "docs/metrics.md lacks this table:\n{}", manual());
    }
}
