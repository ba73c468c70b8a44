//! What a package is and has to prove, where it comes from, and what is kept of it.

use super::{Setting, setting};

/// Above all sections.
pub(super) const TOP: &[Setting] = &[
    setting(
        "election",
        "1 to 64 of a-z, 0-9 and `-`",
        None,
        "\"coahuila-2026-diputaciones\"",
        "the election; packages of any other are refused",
    ),
    setting(
        "trust",
        "\"signed\", \"checksums\" or \"transport\"",
        Some("\"signed\""),
        "\"signed\"",
        "what a package has to prove: signature and sums; sums only; nothing but the way by which it came",
    ),
    setting(
        "signers",
        "a path",
        Some(""),
        "\"allowed_signers\"",
        "who may sign packages: a file as ssh-keygen(1) describes it under ALLOWED SIGNERS",
    ),
    setting(
        "identity",
        "a name",
        Some(""),
        "\"iec\"",
        "the principal that must have signed; without it, any in the file",
    ),
    setting(
        "incoming",
        "a path",
        Some(""),
        "\"incoming\"",
        "the folder that is watched for packages; may be left out where there is a `[[source]]`",
    ),
    setting(
        "state",
        "a path",
        Some("\"state\""),
        "\"/var/lib/difusor\"",
        "the folder for everything that is kept: vault, what is arriving, what was refused, incidents, the admin socket",
    ),
    setting(
        "content_check",
        "\"refuse\", \"warn\" or \"off\"",
        Some("\"refuse\""),
        "\"refuse\"",
        "a package in which a file contradicts its type, such as a 403 page in a .json",
    ),
    setting("threads", "a whole number", Some("0"), "0", "serving threads; 0 takes one a core"),
];

pub(super) const CORTES: &[Setting] = &[
    setting("cortes.keep", "a whole number", Some("6"), "6", "cortes before the live one that stay reachable"),
    setting(
        "cortes.settle",
        "a duration",
        Some("\"10s\""),
        "\"10s\"",
        "a package that does not hold and has not changed for so long is refused; until then it may still be arriving",
    ),
];

pub(super) const DIFFERENCES: &[Setting] = &[
    setting(
        "differences.cortes",
        "a whole number",
        Some("6"),
        "6",
        "earlier cortes that browsers may use as dictionaries (RFC 9842): who has one is sent the difference; at most `cortes.keep`, 0 makes none",
    ),
    setting(
        "differences.memory",
        "a size",
        Some("\"128 MiB\""),
        "\"128 MiB\"",
        "all differences of the live corte together",
    ),
    setting(
        "differences.time",
        "a duration",
        Some("\"2m\""),
        "\"2m\"",
        "processor time for the differences of one corte, in the background; what is not made then is not made",
    ),
];

pub(super) const RSYNC: &[Setting] = &[
    setting(
        "rsync.trusted",
        "a list of addresses and networks",
        Some("[]"),
        "[\"203.0.113.10\", \"198.51.100.0/28\"]",
        "who may push by rsync; without it, nobody; these are for `difusor config rsyncd`",
    ),
    setting(
        "rsync.ports",
        "a list of ports",
        Some("[873, 2873]"),
        "[873, 2873]",
        "where rsyncd listens, one instance each",
    ),
    setting(
        "rsync.module",
        "1 to 64 of A-Z, a-z, 0-9, `_` and `-`",
        Some("\"cortes\""),
        "\"cortes\"",
        "rsync HOST::MODULE/",
    ),
    setting(
        "rsync.user",
        "1 to 32 of A-Z, a-z, 0-9, `.`, `_` and `-`",
        Some(""),
        "\"iec\"",
        "the name by which the authority logs in; without it, the address is enough",
    ),
    setting("rsync.secrets", "a path", Some(""), "\"rsyncd.secrets\"", "a line USER:PASSWORD, not readable by others"),
    setting("rsync.connections", "a whole number", Some("8"), "8", "transfers by rsync at once, all ports together"),
];

pub(super) const TRANSPORT: &[Setting] = &[
    setting(
        "transport.mirror",
        "true or false",
        Some("true"),
        "true",
        "with trust = \"transport\": the incoming folder is itself the mirrored site; else each folder or archive in it is",
    ),
    setting(
        "transport.complete",
        "\"notify\" or a duration",
        Some("\"30s\""),
        "\"notify\"",
        "when a tree counts as whole: when `difusor notify` says so, or when nothing has changed for so long",
    ),
    setting(
        "transport.corrections",
        "\"refuse\" or \"revise\"",
        Some("\"refuse\""),
        "\"revise\"",
        "another tree under a stamp that was accepted: refused, or the next revision of that corte",
    ),
    setting(
        "transport.stamp",
        "\"json\", \"text\", \"line\" or \"names\"",
        None,
        "\"json\"",
        "where the corte's date and hour stand: at JSON pointers, in a text, in one line of it, in names of files",
    ),
    setting(
        "transport.file",
        "a path with * and ?, and a ! before each name inside a ZIP archive",
        Some(""),
        "\"api/resumen.json\"",
        "the file that holds the stamp; such as `*_PREP_DIP.zip!DIP_LOC_*.csv`",
    ),
    setting(
        "transport.pointers",
        "a list of JSON pointers",
        Some("[]"),
        "[\"/fechaCorte\", \"/horaCorte\"]",
        "for \"json\"; their texts are joined by a blank",
    ),
    setting(
        "transport.regex",
        "a regular expression",
        Some(""),
        "'(\\d{8}_\\d{4})_PREP'",
        "for the others; its groups are joined by a blank",
    ),
    setting("transport.line", "a whole number", Some("1"), "3", "for \"line\": which one, from 1 on"),
    setting(
        "transport.format",
        "a date format as strptime(3)",
        None,
        "\"%d de %B de %Y %H:%M\"",
        "how the stamp is written; months in Spanish",
    ),
    setting("transport.zone", "an IANA name", Some(""), "\"America/Monterrey\"", "for stamps without an offset"),
];

pub(super) const VAULT: &[Setting] = &[
    setting(
        "vault.bytes",
        "a size",
        Some("\"20 GiB\""),
        "\"20 GiB\"",
        "all files of the vault together; the earliest cortes go first",
    ),
    setting("vault.cortes", "a whole number", Some("0"), "0", "cortes in the vault at most; 0 keeps all that fit"),
    setting(
        "vault.at_least",
        "a whole number",
        Some("12"),
        "12",
        "so many of the latest cortes stay, whatever they weigh",
    ),
    setting("vault.reserve", "a size", Some("\"256 MiB\""), "\"256 MiB\"", "what the vault leaves free on its disk"),
];

pub(super) const REFUSED: &[Setting] = &[setting(
    "refused.bytes",
    "a size",
    Some("\"1 GiB\""),
    "\"1 GiB\"",
    "refused packages that are kept for a look; \"0 B\" keeps none",
)];

pub(super) const SOURCE: &[Setting] = &[
    setting("source.kind", "\"http\"", Some("\"http\""), "\"http\"", "how packages are fetched: over HTTP, or HTTPS"),
    setting(
        "source.url",
        "a URL",
        None,
        "\"https://prep.example.mx/datos/ultimo.json\"",
        "a package, or with `pointer` a small JSON that names the newest one",
    ),
    setting(
        "source.name",
        "1 to 32 of a-z, 0-9 and `-`",
        Some(""),
        "\"iec\"",
        "what the log calls it; without it, source-1 and so on",
    ),
    setting(
        "source.pointer",
        "a JSON pointer",
        Some(""),
        "\"/ultimo\"",
        "where the JSON has the package: a file name, or a URL",
    ),
    setting("source.sha256_pointer", "a JSON pointer", Some(""), "\"/sha256\"", "where the JSON has its SHA-256"),
    setting("source.every", "a duration", Some("\"20s\""), "\"20s\"", "from one poll to the next, give or take 10 %"),
    setting("source.timeout", "a duration", Some("\"2m\""), "\"2m\"", "for one transfer; what has come is kept"),
    setting(
        "source.ca",
        "a path",
        Some(""),
        "\"autoridad.pem\"",
        "PEM, certificate authorities that are believed besides the system's",
    ),
    setting(
        "source.hosts",
        "a list of \"HOST\" or \"HOST:PORT\"",
        Some("[]"),
        "[\"cdn.example.mx\"]",
        "other hosts to which the JSON and redirects may lead",
    ),
    setting(
        "source.headers",
        "a list of \"Name: value\"",
        Some("[]"),
        "[\"X-Api-Key: 7\"]",
        "fields of every request to the host of `url`",
    ),
    setting(
        "source.authorization_file",
        "a path",
        Some(""),
        "\"token\"",
        "a file whose one line is sent as `Authorization` to the host of `url`, such as `Bearer ...`",
    ),
];
