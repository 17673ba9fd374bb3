//! A figure in 16 bits: 10 bits of its digits and 6 of its size. Pure.
//!
//! Whole numbers up to 2048 are kept as they are; what is larger, or has a fraction, to one part in a thousand, from 0.0003
//! up to 2^51. That is more than a chart shows, and a quarter of what a double takes.

/// A figure, or that none is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Code(u16);

/// Bits of digits that a `f32` has more than we keep.
const DROPPED: u32 = 13;
/// What the exponent of a `f32` is lowered by, so that the least that we keep is 2^-12.
const LOWERED: u32 = (127 - 13) << 10;
/// The code of the least number above nothing.
const LEAST: u32 = 1 << 10;

impl Code {
    pub(super) const UNKNOWN: Self = Self(0);
    const ZERO: Self = Self(1);

    /// Of a figure; what is no number is unknown, and what is negative nothing.
    pub(super) fn of(value: Option<f64>) -> Self {
        let Some(value) = value.filter(|value| value.is_finite()) else { return Self::UNKNOWN };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is too large becomes infinite, which is the largest code"
        )]
        let bits = (value.max(0.0) as f32).to_bits();
        // Rounded; where the digits overflow, the exponent takes it up.
        let rounded = (bits + (1 << (DROPPED - 1))) >> DROPPED;
        match rounded.saturating_sub(LOWERED) {
            below if below < LEAST => Self::ZERO,
            code => Self(u16::try_from(code).unwrap_or(u16::MAX)),
        }
    }

    /// The figure, with no more digits than it needs.
    pub(super) fn value(self) -> Option<f32> {
        match self {
            Self::UNKNOWN => None,
            Self::ZERO => Some(0.0),
            Self(code) => {
                let value = f64::from(f32::from_bits((u32::from(code) + LOWERED) << DROPPED));
                let short = with_digits(3, value);
                let digits = if Self::of(Some(short)) == self { short } else { with_digits(4, value) };
                #[expect(clippy::cast_possible_truncation, reason = "it was a `f32` before")]
                let narrow = digits as f32;
                Some(narrow)
            }
        }
    }

    /// As it is handed over.
    pub(super) fn to_bytes(self) -> [u8; 2] {
        self.0.to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(u16::from_le_bytes(bytes))
    }
}

fn with_digits(number: i32, value: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "between -4 and 15")]
    let shift = number - 1 - value.log10().floor() as i32;
    let power = 10_f64.powi(shift.abs());
    if shift >= 0 { (value * power).round() / power } else { (value / power).round() * power }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(value: f64) -> Option<f32> {
        Code::of(Some(value)).value()
    }

    #[test]
    fn whole_numbers_that_one_counts_are_exact() {
        for number in 0..=2048_u16 {
            assert_eq!(there_and_back(f64::from(number)), Some(f32::from(number)));
        }
    }

    #[test]
    fn figures_look_as_one_would_write_them() {
        for (value, shown) in
            [(1.5, 1.5), (420.0, 420.0), (0.031, 0.031), (1e6, 1e6), (123_456_789.0, 123_500_000.0)]
        {
            assert_eq!(there_and_back(value), Some(shown), "{value}");
        }
    }

    #[test]
    fn what_is_no_number_is_unknown_and_what_is_beyond_is_the_nearest() {
        assert_eq!(Code::of(None).value(), None);
        assert_eq!(there_and_back(f64::NAN), None);
        assert_eq!(there_and_back(f64::INFINITY), None);
        assert_eq!((there_and_back(-3.0), there_and_back(1e-9)), (Some(0.0), Some(0.0)));
        assert_eq!(there_and_back(1e300), there_and_back(1e20));
        assert_eq!(Code::default(), Code::UNKNOWN);
    }

    proptest! {
        #[test]
        fn a_figure_comes_back_to_one_part_in_a_thousand(value in 0.0003..1e15_f64) {
            let back = f64::from(there_and_back(value).unwrap());
            prop_assert!((back - value).abs() <= value / 1000.0, "{value} came back as {back}");
        }

        #[test]
        fn every_code_is_a_number_and_larger_ones_are_not_smaller(code: u16) {
            let code = Code::from_bytes(code.to_le_bytes());
            let next = Code::from_bytes(u16::from_le_bytes(code.to_bytes()).saturating_add(1).to_le_bytes());
            if let Some(value) = code.value() {
                prop_assert!(value.is_finite() && value >= 0.0);
                prop_assert!(next.value().unwrap() >= value);
            }
        }
    }
}
