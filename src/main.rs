//! Which verb, and no more.

use std::process::ExitCode;

use clap::Parser;
use difusor::cli;

/// Connections come and go by the thousand on every core; mimalloc gives their memory back and needs no lock for it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Republishes Mexico's preliminary election results (PREP) from verified, signed packages
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong use or faulty settings; `audit` has one more. The log goes to standard error."
)]
enum Verb {
    Demo(cli::demo::Args),
    Serve(cli::serve::Args),
    Schedule(cli::schedule::Args),
    Cortes(cli::cortes::Args),
    Show(cli::show::Args),
    Verify(cli::verify::Args),
    Audit(cli::audit::Args),
    Readers(cli::readers::Args),
    Pack(cli::pack::Args),
    Config(cli::config::Args),
    Push(cli::push::Args),
    Token(cli::token::Args),
    Notify(cli::ask::Notify),
    Rollback(cli::ask::Rollback),
    Hold(cli::ask::Hold),
    Release(cli::ask::Release),
    Final(cli::ask::Final),
    Resume(cli::ask::Resume),
    Purge(cli::ask::Purge),
}

fn main() -> ExitCode {
    match Verb::parse() {
        Verb::Demo(args) => cli::demo::run(&args),
        Verb::Serve(args) => cli::serve::run(&args),
        Verb::Schedule(args) => cli::schedule::run(&args),
        Verb::Cortes(args) => cli::cortes::run(&args),
        Verb::Show(args) => cli::show::run(&args),
        Verb::Verify(args) => cli::verify::run(&args),
        Verb::Audit(args) => cli::audit::run(&args),
        Verb::Readers(args) => cli::readers::run(&args),
        Verb::Pack(args) => cli::pack::run(&args),
        Verb::Config(args) => cli::config::run(&args),
        Verb::Push(args) => cli::push::run(&args),
        Verb::Token(args) => cli::token::run(&args),
        Verb::Notify(args) => cli::ask::notify(&args),
        Verb::Rollback(args) => cli::ask::rollback(&args),
        Verb::Hold(args) => cli::ask::hold(&args),
        Verb::Release(args) => cli::ask::release(&args),
        Verb::Final(args) => cli::ask::last(&args),
        Verb::Resume(args) => cli::ask::resume(&args),
        Verb::Purge(args) => cli::ask::purge(&args),
    }
}
