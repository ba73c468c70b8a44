//! Bytes: what one reader's night costs, beside the files that nginx would send; and what a corte does to a crowd.
//!
//! From real material, read where it lies (DIFUSOR_DATA, or `shared/data` beside the checkout). Where it is absent, the bench
//! says so and ends.

#[path = "../../tests/common/always.rs"]
mod always;
mod boundary;
mod coded;
mod heads;
mod hpack;
mod link;
mod live;
mod material;
mod nginx;
mod night;
mod served;
mod shaped;

use std::process::ExitCode;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => {
            let heads = heads::print();
            boundary::print(boundary::READERS);
            with_material(|material| {
                night::print(material, &heads);
                link::print(material, &heads);
            });
            live::print();
        }
        ["heads"] => drop(heads::print()),
        ["boundary"] => boundary::print(boundary::READERS),
        ["boundary", readers] => boundary::print(readers.parse().expect("a number of readers")),
        ["nights"] => with_material(|material| night::print(material, &heads::print())),
        ["link"] => with_material(|material| link::print(material, &heads::count())),
        ["live"] => live::print(),

        other => {
            eprintln!("unknown: {other:?}; expected nothing, or one of heads, boundary, nights, link, live");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn with_material(print: impl FnOnce(&material::Material)) {
    match material::find() {
        Some(material) => print(&material),
        None => println!("\nNo real material, so no table of real nights: set DIFUSOR_DATA."),
    }
}
