//! splitmix64: the same seed gives the same night, and the same readers, on every machine.
//!
//! Only sums, products and quotients: `exp` and `ln` differ between C libraries, so nothing here uses them.

/// A stream of numbers that nobody need be unable to guess.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// One independent stream for each purpose, so that a change in one part leaves the others as they were.
    pub fn stream(seed: u64, purpose: u64) -> Rng {
        let mut rng = Rng(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        rng.bits();
        Rng(rng.bits())
    }

    /// 64 of them.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In 0..n; 0 for n = 0.
    pub fn below(&mut self, n: u32) -> u32 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u32
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Nearly normal, mean 0 and deviation 1: twelve uniforms.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A factor around 1 that is never near zero.
    pub fn factor(&mut self, deviation: f64) -> f64 {
        (1.0 + deviation * self.normal()).clamp(0.15, 2.5)
    }
}
