//! Random durations that are the same in every run and for every runtime.

/// SplitMix64 from a fixed seed: every runtime gets the same numbers.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        Random(0x5EED)
    }

    /// A number below `bound`; the bias is far too small to matter here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}
