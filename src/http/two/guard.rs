//! What a client may cost us that brings no request: each kind has a budget, which time and honest work fill again. Whoever spends
//! more is told ENHANCE_YOUR_CALM, and goes (RFC 9113, 10.5).

use super::frame::Fault;
use super::frame::Reason;

/// A budget: so much at once, and so much more each second.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub burst: u32,
    pub per_s: u32,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    Reset,
    Fault,
    Settings,
    Ping,
    Idle,
    SmallData,
    Window,
}

const KINDS: usize = 7;
const BUDGETS: [Budget; KINDS] = [RESETS, FAULTS, SETTINGS, PINGS, IDLE, SMALL_DATA, WINDOWS];

/// RST_STREAM (CVE-2023-44487): a page that is left takes back what it has open, twice; one request in [`REQUESTS_A_RESET`] may end so
/// besides, for a proxy in front of us carries many people's.
const RESETS: Budget = Budget { burst: 256, per_s: 16 };
pub const REQUESTS_A_RESET: u32 = 8;
/// Streams that we have to reset because of what came on them (CVE-2025-8671). Before it has read our settings a client may ask for
/// more streams than there are, once.
const FAULTS: Budget = Budget { burst: 128, per_s: 4 };
/// Each is acknowledged (CVE-2019-9515). Clients send one, some a second one.
const SETTINGS: Budget = Budget { burst: 16, per_s: 1 };
/// Each is answered (CVE-2019-9512). Some clients measure by them, and keep a connection open with them.
const PINGS: Budget = Budget { burst: 64, per_s: 4 };
/// PRIORITY, PRIORITY_UPDATE and other frames that mean nothing to us (CVE-2019-9513): browsers send one or two a request.
const IDLE: Budget = Budget { burst: 1024, per_s: 256 };
/// DATA that is hardly any, or none (CVE-2019-9518): a body that is typed comes so, no upload does.
const SMALL_DATA: Budget = Budget { burst: 1024, per_s: 128 };
/// Below this, DATA that does not end its stream is small.
pub const SMALL_DATA_BYTES: usize = 64;
/// WINDOW_UPDATE, each of which may let a frame of ours go (CVE-2019-9511, CVE-2019-9517): clients send two for each frame that they
/// have read, or for half a window. One for each [`BYTES_A_WINDOW`] that we send is free.
const WINDOWS: Budget = Budget { burst: 1024, per_s: 128 };
pub const BYTES_A_WINDOW: u32 = 2048;

/// Frames of one header block (CVE-2024-27316 and its like): what fits into [`BLOCK_MAX_BYTES`] comes in two or three.
pub const CONTINUATIONS_MAX: u32 = 16;
/// Bytes of one header block, coded. Fields that count 16 KiB take no more than that and some; what is larger is not even read to keep
/// the tables the same.
pub const BLOCK_MAX_BYTES: usize = 32 << 10;
/// Fields of one request: as many as over HTTP/1.1; browsers send about 15.
pub const FIELDS_MAX: usize = 100;

/// What is left of the budgets of one connection.
#[derive(Debug)]
pub struct Guard {
    left: [u32; KINDS],
    /// The second that they were last filled in.
    filled: u32,
    /// Work that is not worth a unit yet.
    requests: u32,
    bytes: u32,
}

impl Guard {
    pub fn new(now_s: u32) -> Guard {
        Guard { left: BUDGETS.map(|budget| budget.burst), filled: now_s, requests: 0, bytes: 0 }
    }

    /// Fills the budgets for the time that has passed.
    pub fn tick(&mut self, now_s: u32) {
        let passed = now_s.saturating_sub(self.filled);
        if passed > 0 {
            self.filled = now_s;
            for (left, budget) in self.left.iter_mut().zip(BUDGETS) {
                *left = left.saturating_add(passed.saturating_mul(budget.per_s)).min(budget.burst);
            }
        }
    }

    pub fn spend(&mut self, cost: Cost) -> Result<(), Fault> {
        let left = &mut self.left[cost as usize];
        *left = left.checked_sub(1).ok_or(Fault::Connection(Reason::EnhanceYourCalm))?;
        Ok(())
    }

    /// A request has come.
    pub fn asked(&mut self) {
        self.requests += 1;
        if self.requests == REQUESTS_A_RESET {
            self.requests = 0;
            self.earn(Cost::Reset, 1);
        }
    }

    /// So much of a body has been sent.
    pub fn sent(&mut self, bytes: usize) {
        let bytes = self.bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.bytes = bytes % BYTES_A_WINDOW;
        self.earn(Cost::Window, bytes / BYTES_A_WINDOW);
    }

    fn earn(&mut self, cost: Cost, units: u32) {
        let left = &mut self.left[cost as usize];
        *left = left.saturating_add(units).min(BUDGETS[cost as usize].burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_follows_has_to_wait() {
        let mut guard = Guard::new(7);
        for _ in 0..PINGS.burst {
            assert_eq!(guard.spend(Cost::Ping), Ok(()));
        }
        let calm = Err(Fault::Connection(Reason::EnhanceYourCalm));
        assert_eq!(guard.spend(Cost::Ping), calm);
        assert_eq!(guard.spend(Cost::Settings), Ok(()), "a budget of its own");
        guard.tick(8);
        for _ in 0..PINGS.per_s {
            assert_eq!(guard.spend(Cost::Ping), Ok(()));
        }
        assert_eq!(guard.spend(Cost::Ping), calm);
    }

    #[test]
    fn work_earns_what_belongs_to_it() {
        let mut guard = Guard::new(0);
        while guard.spend(Cost::Reset).is_ok() && guard.spend(Cost::Window).is_ok() {}
        for _ in 0..REQUESTS_A_RESET {
            guard.asked();
        }
        assert_eq!(guard.spend(Cost::Reset), Ok(()));
        assert!(guard.spend(Cost::Reset).is_err());
        while guard.spend(Cost::Window).is_ok() {}
        guard.sent(BYTES_A_WINDOW as usize - 1);
        assert!(guard.spend(Cost::Window).is_err());
        guard.sent(1);
        assert_eq!(guard.spend(Cost::Window), Ok(()));
    }
}
