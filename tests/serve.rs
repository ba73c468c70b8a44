//! The real binary, from outside: packages dropped into its folder, requests on the wire, signals.

#[path = "serve/answers.rs"]
mod answers;
#[path = "serve/attacks.rs"]
mod attacks;
#[path = "serve/attacks_h2.rs"]
mod attacks_h2;
#[path = "serve/audit.rs"]
mod audit;
#[path = "serve/before_us.rs"]
mod before_us;
#[path = "serve/browser.rs"]
mod browser;
#[path = "serve/chaos.rs"]
mod chaos;
#[path = "serve/clients.rs"]
mod clients;
mod common;
#[path = "serve/dictionaries.rs"]
mod dictionaries;
#[path = "serve/early.rs"]
mod early;
#[path = "serve/embargo.rs"]
mod embargo;
#[path = "serve/floods.rs"]
mod floods;
#[path = "serve/forms.rs"]
mod forms;
#[path = "serve/full.rs"]
mod full;
#[path = "serve/guards.rs"]
mod guards;
#[path = "serve/intake.rs"]
mod intake;
#[path = "serve/interrupted.rs"]
mod interrupted;
#[path = "serve/kill.rs"]
mod kill;
#[path = "serve/ladder.rs"]
mod ladder;
#[path = "serve/misbehaving.rs"]
mod misbehaving;
#[path = "serve/operators.rs"]
mod operators;
#[path = "serve/origins.rs"]
mod origins;
#[path = "serve/own_files.rs"]
mod own_files;
#[path = "serve/pages.rs"]
mod pages;
#[path = "serve/partial.rs"]
mod partial;
#[path = "serve/poisoning.rs"]
mod poisoning;
#[path = "serve/proxied.rs"]
mod proxied;
#[path = "serve/publication.rs"]
mod publication;
#[path = "serve/push.rs"]
mod push;
#[path = "serve/readers.rs"]
mod readers;
#[path = "serve/real.rs"]
mod real;
#[path = "serve/refused.rs"]
mod refused;
#[path = "serve/rsyncd.rs"]
mod rsyncd;
#[path = "serve/schedule.rs"]
mod schedule;
#[path = "serve/seats.rs"]
mod seats;
#[path = "serve/settings.rs"]
mod settings;
#[path = "serve/smuggling.rs"]
mod smuggling;
#[path = "serve/source.rs"]
mod source;
#[path = "serve/stop.rs"]
mod stop;
#[path = "serve/strict.rs"]
mod strict;
#[path = "serve/tls.rs"]
mod tls;
#[path = "serve/vault.rs"]
mod vault;
#[path = "serve/wire.rs"]
mod wire;
