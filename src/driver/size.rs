//! Amounts of memory for people.

use std::fmt;

/// So many bytes, shown with one decimal in the units of `--max-memory-restart`: `412.3M`.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_u64 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];
        let Some((unit, letter)) = units.into_iter().find(|(unit, _)| self.0 >= *unit) else {
            return write!(f, "{} bytes", self.0);
        };
        let (whole, tenth) = (self.0 / unit, self.0 % unit * 10 / unit);
        match tenth {
            0 => write!(f, "{whole}{letter}"),
            tenth => write!(f, "{whole}.{tenth}{letter}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (300 << 20, "300M"),
            (432_327_885, "412.3M"),
            (3 << 29, "1.5G"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
