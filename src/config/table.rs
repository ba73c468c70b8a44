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

pub static TABLE: &[Setting] = &[
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
    setting(
        "listen.proxy_protocol_from",
        "a list of addresses and networks",
        Some("[]"),
        "[\"203.0.113.10\"]",
        "servers before this one that say by the PROXY protocol, version 1 or 2, for whom each connection is; they are not counted, \
         who they name is",
    ),
    setting(
        "listen.proxy_protocol",
        "\"required\" or \"optional\"",
        Some("\"required\""),
        "\"required\"",
        "whether a connection of theirs that does not say so is closed, or is their own",
    ),
    setting(
        "listen.forwarded_from",
        "a list of addresses and networks",
        Some("[]"),
        "[\"203.0.113.10\"]",
        "servers before this one whose field is believed when it says for whom a request is; they are not counted, who they \
         name is",
    ),
    setting(
        "listen.forwarded_field",
        "\"x-forwarded-for\" or \"forwarded\"",
        Some("\"x-forwarded-for\""),
        "\"x-forwarded-for\"",
        "the field that they write; the other one is never read, for it may be a client's own",
    ),
    setting("certificate.chain", "a path", None, "\"fullchain.pem\"", "PEM, the server's own certificate first"),
    setting("certificate.key", "a path", None, "\"privkey.pem\"", "PEM, the key of that certificate"),
    setting("cortes.keep", "a whole number", Some("6"), "6", "cortes before the live one that stay reachable"),
    setting(
        "cortes.settle",
        "a duration",
        Some("\"10s\""),
        "\"10s\"",
        "a package that does not hold and has not changed for so long is refused; until then it may still be arriving",
    ),
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
    setting("limits.package_bytes", "a size", Some("\"2 GiB\""), "\"2 GiB\"", "all files of a package together"),
    setting("limits.file_bytes", "a size", Some("\"512 MiB\""), "\"512 MiB\"", "one file of a package"),
    setting("limits.connections", "a whole number", Some("16000"), "16000", "connections at once"),
    setting(
        "limits.client_connections",
        "a whole number",
        Some("4000"),
        "4000",
        "connections of one client, which is an IPv4 address or a /64 of IPv6; thousands of phones may share one",
    ),
    setting(
        "limits.client_requests",
        "a whole number",
        Some("5000"),
        "5000",
        "requests a second of one client, on average; 0: as many as he likes",
    ),
    setting(
        "limits.client_burst",
        "a whole number",
        Some("20000"),
        "20000",
        "requests at once of one client, beyond that average",
    ),
    setting(
        "limits.client_exempt",
        "a list of addresses and networks",
        Some("[\"127.0.0.0/8\", \"::1\"]"),
        "[\"127.0.0.0/8\", \"::1\", \"203.0.113.0/24\"]",
        "who stands for many others, such as a CDN or a server before this one, and is not counted",
    ),
    setting(
        "limits.head",
        "a duration",
        Some("\"10s\""),
        "\"10s\"",
        "from the first byte of a request's head to its last; it fits in one packet or two",
    ),
    setting(
        "limits.handshake",
        "a duration",
        Some("\"10s\""),
        "\"10s\"",
        "for a TLS handshake: two round trips, and a phone far from its cell sends some packets twice",
    ),
    setting(
        "limits.idle",
        "a duration",
        Some("\"75s\""),
        "\"75s\"",
        "a connection on which nothing moves is closed; browsers keep theirs for a minute or more",
    ),
    setting(
        "limits.send_rate",
        "a size",
        Some("\"250 B\""),
        "\"250 B\"",
        "bytes a second that a client has to take of what waits for him, on average over `rate_window`; 0 B: as slowly as he likes",
    ),
    setting(
        "limits.receive_rate",
        "a size",
        Some("\"250 B\""),
        "\"250 B\"",
        "bytes a second that have to come of a request's body, on average over `rate_window`; 0 B: as slowly as he likes",
    ),
    setting(
        "limits.rate_window",
        "a duration",
        Some("\"30s\""),
        "\"30s\"",
        "how long a client may be slower than that, or silent in the midst of it, as a phone in a tunnel is",
    ),
    setting(
        "ladder.link",
        "a rate, \"auto\" or \"none\"",
        Some("\"auto\""),
        "\"100 Mbit/s\"",
        "what the link to the readers carries; \"auto\" takes the kernel's word, which may be more than the provider sells",
    ),
    setting(
        "ladder.steps",
        "a whole number",
        Some("3"),
        "3",
        "how far less may be offered when more is asked for than can be sent: 1 no images of actas, 2 no downloads, 3 the page and the totals alone; 0 never",
    ),
    setting(
        "ladder.calm",
        "a duration",
        Some("\"30s\""),
        "\"30s\"",
        "how long it has to be calm before a step is taken back",
    ),
    setting(
        "ladder.essential",
        "a list of paths with `*` and `?`",
        Some("[\"*/\", \"*.html\", \"*.css\", \"*.js\", \"*.woff2\", \"*.svg\", \"*.ico\"]"),
        "[\"*/\", \"*.html\", \"/datos/total*.json\"]",
        "what is never left out, whatever it weighs up to `ladder.large`: the page and the totals",
    ),
    setting(
        "ladder.downloads",
        "a list of paths with `*` and `?`",
        Some("[\"*.zip\", \"*.csv\", \"*.gz\", \"*.7z\", \"*.xlsx\", \"*.pdf\"]"),
        "[\"*.zip\", \"*.csv\"]",
        "what is left out at the second step",
    ),
    setting(
        "ladder.images",
        "a list of paths with `*` and `?`",
        Some("[\"*.jpg\", \"*.jpeg\", \"*.png\", \"*.webp\", \"*.tif\", \"*.tiff\"]"),
        "[\"/actas/*\"]",
        "what is left out at the first step: images of actas",
    ),
    setting(
        "ladder.large",
        "a size",
        Some("\"1 MiB\""),
        "\"1 MiB\"",
        "whatever is larger as it would be sent is a download",
    ),
    setting(
        "ladder.small",
        "a size",
        Some("\"16 KiB\""),
        "\"16 KiB\"",
        "whatever is no larger as it would be sent is never left out",
    ),
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
    setting(
        "refused.bytes",
        "a size",
        Some("\"1 GiB\""),
        "\"1 GiB\"",
        "refused packages that are kept for a look; \"0 B\" keeps none",
    ),
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
    setting(
        "schedule.zone",
        "an IANA name",
        Some("\"America/Monterrey\""),
        "\"America/Monterrey\"",
        "the zone in which people here read times, whatever this machine's is",
    ),
    setting(
        "schedule.countdown",
        "a duration",
        Some("\"24h\""),
        "\"24h\"",
        "how long before its opening a window takes the place of the one before: countdown, and its packages taken in",
    ),
    setting(
        "window.kind",
        "\"oficial\" or \"simulacro\"",
        Some("\"oficial\""),
        "\"oficial\"",
        "the real thing or a drill; packages of the other kind are refused. Without windows, the call's own are meant",
    ),
    setting(
        "window.opens",
        "a date and hour",
        None,
        "\"2026-06-07T18:30\"",
        "when results become public, by the zone's clocks or with an offset; not one byte of them before",
    ),
    setting("window.closes", "a date and hour", None, "\"2026-06-14T23:59:59\"", "until when they are at least"),
    setting("window.interval", "a duration", Some("\"10m\""), "\"10m\"", "from one corte to the next"),
    setting(
        "window.grace",
        "a duration",
        Some("\"60s\""),
        "\"60s\"",
        "what a corte may be late before anybody is told",
    ),
    setting(
        "window.periods",
        "a whole number",
        Some("3"),
        "3",
        "cortes that must be missing before transmission counts as interrupted",
    ),
    setting(
        "window.cortes_end",
        "a duration",
        Some("\"24h\""),
        "\"24h\"",
        "how long after the opening cortes are awaited; then the last one is final",
    ),
    setting(
        "window.on_interrupted",
        "\"notice\" or \"banner\"",
        Some("\"notice\""),
        "\"notice\"",
        "a notice instead of results, as the call wants it; or results under a notice",
    ),
    setting(
        "window.closed",
        "\"keep\" or \"page\"",
        Some(""),
        "\"keep\"",
        "afterwards: the last results, or a page that says that it is over; without it, \"page\" for drills",
    ),
    setting(
        "window.name",
        "a host name",
        Some(""),
        "\"prep.eldiario.example\"",
        "where it is published; settings that name it are for production, and `serve --clock` refuses them",
    ),
    setting(
        "difusor.name",
        "a text of 1 to 120 characters",
        Some(""),
        "\"El Diario\"",
        "who publishes, on our own pages",
    ),
    setting(
        "difusor.support",
        "a text of 1 to 120 characters",
        Some(""),
        "\"844 000 0000, prep@eldiario.example\"",
        "where readers turn to for help while transmission is interrupted",
    ),
    setting("difusor.colour", "a colour as #rrggbb", Some(""), "\"#12395b\"", "the background of our bars"),
    setting("difusor.on_colour", "a colour as #rrggbb", Some(""), "\"#ffffff\"", "the text on it"),
    setting("difusor.logo", "a path", Some(""), "\"logo.svg\"", "an image of at most 64 KiB for our own pages"),
    setting(
        "difusor.frame_ancestors",
        "a list of origins",
        Some("[]"),
        "[\"https://www.eldiario.example\"]",
        "sites that may show us in a frame; without it, all may",
    ),
    setting(
        "proxy.memory",
        "a size",
        Some("\"256 MiB\""),
        "\"256 MiB\"",
        "all answers of origins that are kept, in memory; \"0 B\" keeps none",
    ),
    setting(
        "proxy.object",
        "a size",
        Some("\"16 MiB\""),
        "\"16 MiB\"",
        "one answer; a longer one is passed on, not kept",
    ),
    setting(
        "proxy.name",
        "1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`, the first one a letter",
        Some("\"difusor\""),
        "\"difusor-1\"",
        "what we are called in `Via` and `Cache-Status`; two in a row need different names",
    ),
    setting(
        "upstream.name",
        "1 to 32 of a-z, 0-9 and `-`",
        None,
        "\"portada\"",
        "what routes, the log and the metrics call this origin",
    ),
    setting(
        "upstream.addresses",
        "a list of \"http://HOST:PORT\" or \"https://HOST:PORT\"",
        None,
        "[\"https://origen.eldiario.example\"]",
        "where it listens; all of them serve the same, with TLS or all without",
    ),
    setting(
        "upstream.http2",
        "true or false",
        Some("false"),
        "true",
        "HTTP/2 where the origin takes it; without TLS it has to know that beforehand",
    ),
    setting(
        "upstream.host",
        "\"client\", or a host name with or without a port",
        Some(""),
        "\"www.eldiario.example\"",
        "what `Host` tells the origin: \"client\" what the reader asked for; without it, the first address's own",
    ),
    setting(
        "upstream.forwarded",
        "true or false",
        Some("true"),
        "true",
        "the origin is told who asks, by `Forwarded` (RFC 7239)",
    ),
    setting(
        "upstream.x_forwarded",
        "true or false",
        Some("true"),
        "true",
        "the origin is told who asks, by `X-Forwarded-For`, `-Proto` and `-Host`",
    ),
    setting(
        "upstream.proxy_protocol",
        "\"off\", \"v1\" or \"v2\"",
        Some("\"off\""),
        "\"off\"",
        "each connection begins with who asks, by the PROXY protocol, before TLS; it is for one request then, and not for HTTP/2",
    ),
    setting(
        "upstream.ca",
        "a path",
        Some(""),
        "\"autoridad.pem\"",
        "PEM, certificate authorities that are believed besides the system's",
    ),
    setting(
        "upstream.connect",
        "a duration",
        Some("\"3s\""),
        "\"3s\"",
        "for its name, a connection and the TLS handshake together",
    ),
    setting(
        "upstream.first_byte",
        "a duration",
        Some("\"10s\""),
        "\"10s\"",
        "from the whole request sent to the head of the answer",
    ),
    setting("upstream.idle", "a duration", Some("\"10s\""), "\"10s\"", "between two pieces of a body"),
    setting(
        "upstream.total",
        "a duration",
        Some("\"60s\""),
        "\"60s\"",
        "for the whole exchange, whatever the others say",
    ),
    setting(
        "upstream.connections",
        "a whole number",
        Some("64"),
        "64",
        "connections at once, all of its addresses together",
    ),
    setting("upstream.waiting", "a whole number", Some("1024"), "1024", "requests that may wait for a connection"),
    setting(
        "upstream.health",
        "a path that begins with `/`",
        Some(""),
        "\"/salud\"",
        "each address is asked for it, and one that does not answer 2xx three times in a row is not used; without it, nobody asks",
    ),
    setting(
        "upstream.health_interval",
        "a duration",
        Some("\"5s\""),
        "\"5s\"",
        "from one such question to the next, give or take 10 %",
    ),
    setting(
        "upstream.slow_start",
        "a duration, or \"0s\"",
        Some("\"0s\""),
        "\"10s\"",
        "how long an address that has come back gets less than its share of the requests, and more and more",
    ),
    setting(
        "route.path",
        "a path that begins with `/`",
        Some("\"/\""),
        "\"/actas\"",
        "this path and all below it go to the upstream",
    ),
    setting(
        "route.host",
        "a host name",
        Some(""),
        "\"www.eldiario.example\"",
        "only requests for this host; without it, for any",
    ),
    setting("route.upstream", "1 to 32 of a-z, 0-9 and `-`", None, "\"portada\"", "the name of an `[[upstream]]`"),
    setting(
        "route.name",
        "1 to 32 of a-z, 0-9 and `-`",
        Some(""),
        "\"actas\"",
        "what the log and the metrics call it; without it, route-1 and so on",
    ),
    setting(
        "route.first",
        "true or false",
        Some("false"),
        "true",
        "true: asked before the package; false: for what is not in the package",
    ),
    setting("route.cache", "true or false", Some("true"), "true", "false: every request goes to the origin"),
    setting(
        "route.compress",
        "true or false",
        Some("true"),
        "true",
        "false: what is stored is sent as the origin sent it; true: text that came without a coding is compressed once for all",
    ),
    setting(
        "route.query",
        "\"keep\", \"sort\", \"drop\" or \"only\"",
        Some("\"keep\""),
        "\"only\"",
        "which parameters tell answers apart and go upstream: all as they came, all in order, none, or those of `parameters`",
    ),
    setting(
        "route.parameters",
        "a list of names",
        Some("[]"),
        "[\"pagina\"]",
        "for query = \"only\": the parameters that count",
    ),
    setting(
        "route.headers",
        "a list of field names",
        Some("[]"),
        "[\"Accept-Language\"]",
        "fields of the request that tell answers apart, whatever `Vary` says",
    ),
    setting(
        "route.by_corte",
        "true or false",
        Some("false"),
        "true",
        "true: answers belong to a corte; with the next one all are asked for anew",
    ),
    setting(
        "route.results",
        "true or false",
        Some("false"),
        "true",
        "true: these are results, shown only while those of the package are; not one byte before the opening",
    ),
    setting(
        "route.stale_if_error",
        "a duration, or \"0s\"",
        Some("\"0s\""),
        "\"10m\"",
        "how long after it was fresh an answer may stand in while the origin fails",
    ),
    setting(
        "route.negative",
        "a duration, or \"0s\"",
        Some("\"0s\""),
        "\"5s\"",
        "how long 404 and 410 are kept where the origin says nothing of it",
    ),
    setting(
        "route.first_byte",
        "a duration",
        Some(""),
        "\"30s\"",
        "in place of the upstream's: from the whole request sent to the head of the answer",
    ),
    setting(
        "route.idle",
        "a duration",
        Some(""),
        "\"30s\"",
        "in place of the upstream's: between two pieces of a body",
    ),
    setting("route.total", "a duration", Some(""), "\"5m\"", "in place of the upstream's: for the whole exchange"),
    setting(
        "route.wait",
        "a duration",
        Some("\"10s\""),
        "\"10s\"",
        "how long a reader waits for an answer that another has asked for already",
    ),
    setting(
        "route.body_bytes",
        "a size",
        Some("\"1 MiB\""),
        "\"1 MiB\"",
        "what a reader may send; \"0 B\" takes nothing",
    ),
    setting("stop.grace", "a duration", Some("\"30s\""), "\"30s\"", "how long connections may finish after SIGTERM"),
];

/// The row of a key that the code names.
pub fn row(key: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|row| row.key == key)
}

/// Sections that are a fault where they are not needed.
const OPTIONAL: [&str; 6] = ["transport", "source", "window", "proxy", "upstream", "route"];
/// Sections that may occur several times.
const SEVERAL: [&str; 5] = ["certificate", "source", "window", "upstream", "route"];

/// A settings file with every setting in it, at its default or an example, and its meaning above it.
pub fn example() -> String {
    let mut out = String::from("# Settings of difusor. Paths are relative to this file.\n");
    let mut section = "";
    for row in TABLE {
        let (name, key) = row.key.rsplit_once('.').unwrap_or(("", row.key));
        // A section that only some need is there to be uncommented as a whole.
        let is_optional = OPTIONAL.contains(&name);
        if name != section {
            section = name;
            let header = if SEVERAL.contains(&name) { format!("[[{name}]]") } else { format!("[{name}]") };
            out += &format!("\n{}{header}\n", if is_optional { "# " } else { "" });
        }
        let (mark, value) = match row.default {
            _ if is_optional => ("# ", row.example),
            None => ("", row.example),
            // Somewhere it has to listen.
            Some("[]") if ["listen.http", "listen.https"].contains(&row.key) => ("", row.example),
            Some("[]") => ("# ", row.example),
            // The default trust needs the one, and the other is the usual way in.
            Some("") if ["signers", "incoming"].contains(&row.key) => ("", row.example),
            Some("") => ("# ", row.example),
            Some(default) => ("# ", default),
        };
        // What is commented out is at its default; the rest has to be given.
        out += &format!("# {}\n{mark}{key} = {value}\n", row.about);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who copies the file and fills in what is not commented out has not let anybody speak for others.
    #[test]
    fn the_example_sets_what_everybody_has_to_set_and_nothing_else() {
        let example = example();
        let set: Vec<_> =
            example.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = ")).collect();
        let keys: Vec<_> = set.into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["election", "signers", "incoming", "http", "https", "chain", "key"]);
    }
}
