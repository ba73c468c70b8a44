//! Rooms of the library put together without the binary: the swap under load, the memory promise, the pure answer.

#[path = "rooms/admin.rs"]
mod admin;
#[path = "rooms/answer.rs"]
mod answer;
#[path = "rooms/clients.rs"]
mod clients;
mod common;
#[path = "rooms/crash.rs"]
mod crash;
#[path = "rooms/embargo.rs"]
mod embargo;
#[path = "rooms/fault.rs"]
mod fault;
#[path = "rooms/full.rs"]
mod full;
#[path = "rooms/gate.rs"]
mod gate;
#[path = "rooms/memory.rs"]
mod memory;
#[path = "rooms/night.rs"]
mod night;
#[path = "rooms/source.rs"]
mod source;
#[path = "rooms/swap.rs"]
mod swap;
#[path = "rooms/told.rs"]
mod told;
#[path = "rooms/transport.rs"]
mod transport;
#[path = "rooms/windows.rs"]
mod windows;
