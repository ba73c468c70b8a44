//! When readers come: those who stay, spread evenly; those who come for a corte, most of them at once. Pure.

use std::time::Duration;

use crate::base::rng::Rng;

/// How many times rarer arrivals are at the end of a rush than at its beginning: e to the third, some 20.
const DECAY: f64 = 3.0;

/// Microseconds after the corte at which somebody comes who comes for it: of `rush`, mostly its beginning.
///
/// Arrivals thin out exponentially; `part`, in [0, 1), is how many of them came before this one.
pub fn after_corte_us(rush: Duration, part: f64) -> u64 {
    let whole = 1.0 - (-DECAY).exp();
    let at = -(1.0 - part.clamp(0.0, 1.0) * whole).ln() / DECAY;
    micros(rush.mul_f64(at.clamp(0.0, 1.0)))
}

/// Microseconds within `span`, anywhere.
pub fn anywhere_us(span: Duration, rng: &mut Rng) -> u64 {
    micros(span.mul_f64(rng.unit()))
}

/// Somebody's pause, around `mean`: from half of it to one and a half.
pub fn pause_us(mean: Duration, rng: &mut Rng) -> u64 {
    micros(mean.mul_f64(rng.between(0.5, 1.5)))
}

/// Whole microseconds; some 580,000 years at most.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prop_assert, proptest};

    #[test]
    fn most_come_at_the_beginning() {
        let rush = Duration::from_secs(20);
        let within = |from: u64, to: u64| {
            let times = (0..10_000).map(|n| after_corte_us(rush, f64::from(n) / 10_000.0) / 1_000_000);
            times.filter(|second| (from..to).contains(second)).count()
        };
        let seconds: Vec<usize> = (0..20).map(|second| within(second, second + 1)).collect();
        assert!(seconds.is_sorted_by(|a, b| a >= b), "{seconds:?}");
        assert!(seconds[0] > 10 * seconds[19], "{seconds:?}");
        assert_eq!(within(0, 20), 10_000);
    }

    proptest! {
        #[test]
        fn nobody_comes_after_it(seconds in 0u64..600, part in -1.0f64..2.0, seed: u64) {
            let (rush, mut rng) = (Duration::from_secs(seconds), Rng::stream(seed, 1));
            prop_assert!(after_corte_us(rush, part) <= micros(rush));
            prop_assert!(anywhere_us(rush, &mut rng) <= micros(rush));
            prop_assert!(pause_us(rush, &mut rng) <= micros(rush) * 3 / 2);
        }
    }
}
