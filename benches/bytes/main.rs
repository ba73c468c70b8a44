//! Bytes: what one reader's night costs, beside the files that nginx would send; and what a corte does to a crowd.
//!
//! From real material, read where it lies (DIFUSOR_DATA, or `shared/data` beside the checkout). Where it is absent, the bench
//! says so and ends.

mod boundary;
mod coded;
mod heads;
mod hpack;
mod material;
mod night;

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
            match material::find() {
                Some(material) => night::print(&material, &heads),
                None => println!("\nNo real material, so no table of real nights: set DIFUSOR_DATA."),
            }
        }
        ["heads"] => drop(heads::print()),
        ["boundary"] => boundary::print(boundary::READERS),
        ["boundary", readers] => boundary::print(readers.parse().expect("a number of readers")),
        ["nights"] => match material::find() {
            Some(material) => night::print(&material, &heads::print()),
            None => println!("no real material: set DIFUSOR_DATA"),
        },
        other => {
            eprintln!("unknown: {other:?}; expected nothing, or one of heads, boundary, nights");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
