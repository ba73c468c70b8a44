//! The one list of settings: their names, forms, defaults and meanings.

/// One setting.
pub struct Setting {
    /// Dotted, as it is spoken of: `listen.http`. `certificate.chain` stands in each `[[certificate]]`.
    pub key: &'static str,
    /// What it must look like, as an error message says it.
    pub form: &'static str,
    /// As it would be typed; `None` for what has to be given, `Some("")` for what may be left out.
    pub default: Option<&'static str>,
    /// An example, as it would be typed.
    pub example: &'static str,
    pub about: &'static str,
}

const fn setting(
    key: &'static str,
    form: &'static str,
    default: Option<&'static str>,
    example: &'static str,
    about: &'static str,
) -> Setting {
    Setting { key, form, default, example, about }
}

pub static TABLE: [Setting; 25] = [
    setting(
        "election",
        "1 to 64 of a-z, 0-9 and `-`",
        None,
        "\"coahuila-2026-diputaciones\"",
        "the election; packages of any other are refused",
    ),
    setting(
        "kind",
        "\"oficial\" or \"simulacro\"",
        Some("\"oficial\""),
        "\"oficial\"",
        "the real thing or a drill; packages of the other kind are refused",
    ),
    setting(
        "signers",
        "a path",
        None,
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
    setting("incoming", "a path", None, "\"incoming\"", "the folder that is watched for packages"),
    setting(
        "state",
        "a path",
        Some("\"state\""),
        "\"state\"",
        "the folder for everything that is kept: vault, journal of incidents, admin socket; made if the one above it is there",
    ),
    setting(
        "content_check",
        "\"refuse\", \"warn\" or \"off\"",
        Some("\"refuse\""),
        "\"refuse\"",
        "a package in which a file contradicts its type, such as a 403 page in a .json",
    ),
    setting("threads", "a whole number", Some("0"), "0", "serving threads; 0 takes one a core"),
    setting(
        "listen.http",
        "a list of \"ADDRESS:PORT\"",
        Some("[]"),
        "[\"[::]:80\"]",
        "where to listen in clear; `[::]` takes IPv4 too",
    ),
    setting("listen.https", "a list of \"ADDRESS:PORT\"", Some("[]"), "[\"[::]:443\"]", "where to listen with TLS"),
    setting(
        "listen.redirect",
        "true or false",
        Some("true"),
        "true",
        "clear ports send everybody to the first TLS port, when there is one",
    ),
    setting("certificate.chain", "a path", None, "\"fullchain.pem\"", "PEM, the server's own certificate first"),
    setting("certificate.key", "a path", None, "\"privkey.pem\"", "PEM, the key of that certificate"),
    setting("cortes.interval", "a duration", Some("\"10m\""), "\"10m\"", "from one corte to the next"),
    setting("cortes.keep", "a whole number", Some("6"), "6", "cortes before the live one that stay reachable"),
    setting(
        "cortes.settle",
        "a duration",
        Some("\"10s\""),
        "\"10s\"",
        "a package that does not hold and has not changed for so long is refused; until then it may still be arriving",
    ),
    setting("limits.package_bytes", "a size", Some("\"2 GiB\""), "\"2 GiB\"", "all files of a package together"),
    setting("limits.file_bytes", "a size", Some("\"512 MiB\""), "\"512 MiB\"", "one file of a package"),
    setting("limits.connections", "a whole number", Some("16000"), "16000", "connections at once"),
    setting(
        "admin.listen",
        "\"ADDRESS:PORT\"",
        Some(""),
        "\"127.0.0.1:8443\"",
        "where packages are pushed and metrics read, with TLS; needs a certificate, and `client_ca` or `tokens`",
    ),
    setting("admin.chain", "a path", Some(""), "\"fullchain.pem\"", "PEM, the certificate of that address first"),
    setting("admin.key", "a path", Some(""), "\"privkey.pem\"", "PEM, the key of that certificate"),
    setting(
        "admin.client_ca",
        "a path",
        Some(""),
        "\"client_ca.pem\"",
        "PEM; whoever has a certificate by one of these may push",
    ),
    setting(
        "admin.tokens",
        "a path",
        Some(""),
        "\"tokens\"",
        "lines that `difusor token NAME` prints; whoever has such a token may push",
    ),
    setting("stop.grace", "a duration", Some("\"30s\""), "\"30s\"", "how long connections may finish after SIGTERM"),
];

/// The row of a key that the code names.
pub fn row(key: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|row| row.key == key)
}

/// A settings file with every setting in it, at its default or an example, and its meaning above it.
pub fn example() -> String {
    let mut out = String::from("# Settings of difusor. Paths are relative to this file.\n");
    let mut section = "";
    for row in &TABLE {
        let (name, key) = row.key.rsplit_once('.').unwrap_or(("", row.key));
        if name != section {
            section = name;
            out += &if name == "certificate" { "\n[[certificate]]\n".into() } else { format!("\n[{name}]\n") };
        }
        let (mark, value) = match row.default {
            None => ("", row.example),
            // Somewhere it has to listen.
            Some("[]") => ("", row.example),
            Some("") => ("# ", row.example),
            Some(default) => ("# ", default),
        };
        // What is commented out is at its default; the rest has to be given.
        out += &format!("# {}\n{mark}{key} = {value}\n", row.about);
    }
    out
}
