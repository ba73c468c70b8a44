//! How readers and operators are served: listeners, certificates, limits, what is left out first, who publishes, and the end.

use super::{Setting, setting};

pub(super) const LISTEN: &[Setting] = &[
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
];

pub(super) const CERTIFICATE: &[Setting] = &[
    setting("certificate.chain", "a path", None, "\"fullchain.pem\"", "PEM, the server's own certificate first"),
    setting("certificate.key", "a path", None, "\"privkey.pem\"", "PEM, the key of that certificate"),
];

pub(super) const LIMITS: &[Setting] = &[
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
];

pub(super) const LADDER: &[Setting] = &[
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
];

pub(super) const ADMIN: &[Setting] = &[
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
];

pub(super) const DIFUSOR: &[Setting] = &[
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
];

pub(super) const STOP: &[Setting] =
    &[setting("stop.grace", "a duration", Some("\"30s\""), "\"30s\"", "how long connections may finish after SIGTERM")];
