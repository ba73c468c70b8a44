//! How long, and at which pace, a client is waited for. Pure: times and counts come in.

/// What the settings say. Seconds are those of the sweep: a limit of 10 ends a connection in the eleventh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the first byte of a request's head to its last; for the first of a connection, from its beginning.
    pub head_s: u32,
    /// For a TLS handshake, and for what the PROXY protocol says before it.
    pub handshake_s: u32,
    /// For a connection on which nothing moves, either way.
    pub idle_s: u32,
    /// Bytes a second that have to go out while something waits to; 0 is no limit.
    pub send_rate: u64,
    /// Bytes a second that have to come in while a request's body is waited for; 0 is no limit.
    pub receive_rate: u64,
    /// Both are averages over so long. Whole windows alone are judged: a phone that changes cells or goes through a tunnel is
    /// silent for 10 s and more, and one retransmission may be 16 s away from the one before it.
    pub window_s: u32,
}

/// The defaults of the settings.
impl Default for Patience {
    fn default() -> Patience {
        Patience { head_s: 10, handshake_s: 10, idle_s: 75, send_rate: 250, receive_rate: 250, window_s: 30 }
    }
}

/// How fast something moves that waits for a client, window by window. What was fast once buys nothing for later.
#[derive(Debug, Default)]
pub struct Pace {
    /// Second + 1 in which this window began; 0 while nothing waits.
    began: u32,
    /// What had moved by then.
    moved: u64,
}

impl Pace {
    /// One look, in second `now`: whether anything waits, and how many bytes have moved until now. True at the end of a
    /// window in which less than `rate` bytes a second have.
    pub fn is_slow(&mut self, waits: bool, now: u32, moved: u64, (rate, window_s): (u64, u32)) -> bool {
        if !waits || rate == 0 {
            *self = Pace::default();
            return false;
        }
        let is_new = self.began == 0;
        if !is_new && (now + 1).saturating_sub(self.began) < window_s {
            return false;
        }
        let went = moved.saturating_sub(self.moved);
        *self = Pace { began: now + 1, moved };
        !is_new && went < rate.saturating_mul(window_s.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW_S: u32 = 30;

    /// Seconds until a connection is ended that moves `moves` in each of its seconds, if it is at all.
    fn ends(moves: impl Fn(u32) -> u64, rate: u64) -> Option<u32> {
        let (mut pace, mut moved) = (Pace::default(), 0);
        (0..10 * WINDOW_S).find(|now| {
            moved += moves(*now);
            pace.is_slow(true, *now, moved, (rate, WINDOW_S))
        })
    }

    #[test]
    fn who_takes_a_byte_a_second_is_not_waited_for() {
        assert_eq!(ends(|_| 1, 250), Some(WINDOW_S));
        assert_eq!(ends(|_| 0, 250), Some(WINDOW_S));
        assert_eq!(ends(|_| 1, 0), None, "no limit");
        // A megabyte at once, then nothing.
        assert_eq!(ends(|now| if now == 1 { 1 << 20 } else { 0 }, 250), Some(2 * WINDOW_S));
    }

    #[test]
    fn a_phone_on_a_poor_link_is() {
        // 16 kbit/s, of which six connections have a sixth each.
        assert_eq!(ends(|_| 340, 250), None);
        // Nothing for most of a window, then what had gathered.
        assert_eq!(ends(|now| if now % WINDOW_S == 20 { 10_000 } else { 0 }, 250), None);
    }

    #[test]
    fn nothing_counts_while_nothing_waits() {
        let mut pace = Pace::default();
        for now in 0..10 * WINDOW_S {
            assert!(!pace.is_slow(now % (WINDOW_S - 1) != 0, now, 0, (250, WINDOW_S)), "{now}");
        }
    }

    proptest! {
        /// Whoever keeps the pace in each second keeps it in each window; whoever is below it in each second is ended.
        #[test]
        fn a_steady_pace_is_judged_by_itself(moves in 0..600_u64, rate in 1..600_u64) {
            prop_assert_eq!(ends(|_| moves, rate).is_none(), moves >= rate);
        }
    }
}
