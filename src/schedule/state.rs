//! What the public is shown at a moment, and why.

use jiff::Timestamp;

use super::calendar::{Calendar, Closed, OnInterrupted, Window};

/// Where a window stands.
///
/// ```text
///          opens             first corte          due, and grace        periods missed
///  Before ───────> Waiting ─────────────> Current ───────────────> Late ──────────────> Interrupted
///                     │                   ^  ^  │                   │ │                     │ │
///                     │ periods missed    │  └──┼── next corte ─────┘ │                     │ │
///                     └───────────────────┼─────┼─────────────────────┼──> Interrupted      │ │
///                                         └─────┼── next corte ───────┼─────────────────────┘ │
///                                               v                     v                       v
///                                             Final: the package says so, the operators say so, or no more are
///                                               │    expected; not where there is no corte at all.
///                                               │    A corte that comes all the same: Current
///  any, at closes ─────────────────────────> Closed, until the next window begins: Before
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The embargo: nothing of any result leaves.
    Before,
    /// Open, and nothing has come yet.
    Waiting,
    Current,
    /// The next corte is overdue.
    Late,
    /// So many are missing that results must not stand for current ones (the call, III).
    Interrupted,
    /// No more cortes are expected: never late again.
    Final,
    Closed,
}

impl State {
    pub const ALL: [State; 7] =
        [State::Before, State::Waiting, State::Current, State::Late, State::Interrupted, State::Final, State::Closed];

    /// As `Corte-Estado` and `/.prep/estado.json` say it.
    pub fn token(self) -> &'static str {
        match self {
            State::Before => "previo",
            State::Waiting => "en-espera",
            State::Current => "vigente",
            State::Late => "atrasado",
            State::Interrupted => "interrumpido",
            State::Final => "final",
            State::Closed => "cerrado",
        }
    }
}

/// Why it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    NotOpenYet,
    NoCorteYet,
    /// The corte is not older than one interval and the grace.
    Fresh,
    /// The operators have results shown for so much longer.
    Resumed,
    Overdue,
    /// Nothing has come since the opening.
    NeverBegan,
    TooOld,
    LastByPackage,
    LastByOperator,
    EndOfCortes,
    WindowOver,
}

/// The corte that would be shown, if anything may be: it is for the window that governs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub stamp: Timestamp,
    pub is_final: bool,
}

/// What operators have said of the corte that is shown. The next corte ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is the last one.
    Final { at: Timestamp },
    /// Patience begins anew.
    Resumed { at: Timestamp },
}

/// All that the machine knows besides the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub shown: Option<Shown>,
    pub said: Option<Said>,
}

/// Where things stand at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of the window that governs.
    pub window: usize,
    pub state: State,
    pub reason: Reason,
    /// Since when it is so; for `Before`, and a corte that came before the opening, no later than now.
    pub since: Option<Timestamp>,
    /// When the next corte is due, or was; `None` where none is awaited.
    pub due: Option<Timestamp>,
    /// When all this changes by time alone.
    pub next: Option<Timestamp>,
}

impl Step {
    /// Whether results may be shown, as far as time goes.
    pub fn shows_results(&self, window: &Window) -> bool {
        match self.state {
            State::Before | State::Waiting => false,
            State::Current | State::Late | State::Final => true,
            State::Interrupted => window.on_interrupted == OnInterrupted::Banner,
            State::Closed => window.closed == Closed::Keep,
        }
    }
}

/// Where things stand at `now`. Stale is judged by the stamp alone: counts have stood still on real nights, and were right.
pub fn step(calendar: &Calendar, now: Timestamp, facts: &Facts) -> Step {
    let number = calendar.governing(now);
    let window = &calendar.windows()[number];
    let stand = |state, reason, since, due, next| Step { window: number, state, reason, since, due, next };
    if now < window.opens {
        return stand(State::Before, Reason::NotOpenYet, None, None, Some(window.opens));
    }
    if now >= window.closes {
        return stand(State::Closed, Reason::WindowOver, Some(window.closes), None, calendar.begins(number + 1));
    }
    let until = |next: Timestamp| Some(next.min(window.closes));
    let after = |from: Timestamp, by| from.saturating_add(by).unwrap_or(Timestamp::MAX);
    // A corte that came before the opening counts from the opening on.
    let base = facts.shown.map_or(window.opens, |shown| shown.stamp.max(window.opens));
    let (resumed, said_final) = match facts.said {
        Some(Said::Resumed { at }) => (Some(at), None),
        Some(Said::Final { at }) => (None, Some(at)),
        None => (None, None),
    };
    let interrupts = after(base.max(resumed.unwrap_or(Timestamp::MIN)), window.patience());
    let Some(shown) = facts.shown else {
        return match now < interrupts {
            true => {
                stand(State::Waiting, Reason::NoCorteYet, Some(window.opens), Some(window.opens), until(interrupts))
            }
            false => stand(
                State::Interrupted,
                Reason::NeverBegan,
                Some(interrupts),
                Some(window.opens),
                until(window.closes),
            ),
        };
    };
    let last = |reason, since| stand(State::Final, reason, Some(since), None, until(window.closes));
    if shown.is_final {
        return last(Reason::LastByPackage, base);
    }
    if let Some(at) = said_final {
        return last(Reason::LastByOperator, at.max(window.opens));
    }
    if now >= window.ends {
        return last(Reason::EndOfCortes, window.ends);
    }
    let due = after(base, window.interval);
    let late = after(due, window.grace);
    let until = |next: Timestamp| until(next.min(window.ends));
    if now >= interrupts {
        return stand(State::Interrupted, Reason::TooOld, Some(interrupts), Some(due), until(window.ends));
    }
    if now >= late {
        let (reason, since) = match resumed {
            Some(at) if at > late => (Reason::Resumed, at),
            _ => (Reason::Overdue, late),
        };
        return stand(State::Late, reason, Some(since), Some(due), until(interrupts));
    }
    stand(State::Current, Reason::Fresh, Some(base), Some(due), until(late))
}
