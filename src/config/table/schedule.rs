//! The election's clock: its zone, and the windows in which results are public.

use super::{Setting, setting};

pub(super) const SCHEDULE: &[Setting] = &[
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
];

pub(super) const WINDOW: &[Setting] = &[
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
];
