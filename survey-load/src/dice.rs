//! Numbers that look random and follow from a seed: the same on every machine.
//!
//! Serves answers and pauses. Nothing secret may come from it.

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice that fall as `seed` says.
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// A number below `end`; 0 when that is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)).checked_rem(end).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_fall_the_same_and_everywhere() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..1000).map(|_| dice.below(6)).collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
        for face in 0..6 {
            let count = throws(7).iter().filter(|t| **t == face).count();
            assert!((100..250).contains(&count), "{face} fell {count} times of 1000");
        }
        assert_eq!(Dice::new(1).below(0), 0);
    }
}
