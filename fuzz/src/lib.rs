//! What the fuzz targets have in common: how one input holds several things, and remains readable.
//!
//! An input is bytes as they would come from outside, so that seeds can be real messages. What happens to them on the
//! way (where they are cut, what we do meanwhile) is the script, which follows the last NUL, if there is one.

pub mod app;
pub mod views;

/// The bytes from outside, and the script.
#[must_use]
pub fn with_script(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().rposition(|&byte| byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}

/// Whether an input is one of those, one in `count`, on which something is done that takes long. The same each time, and no
/// matter of what it is like.
#[must_use]
pub fn is_one_of(count: u8, data: &[u8]) -> bool {
    let sum = data.iter().fold(0, |sum: u8, &byte| sum.wrapping_mul(31).wrapping_add(byte));
    sum % count == 0
}

/// Reads a script: one small decision after the other, 0 for ever once it is used up.
#[derive(Debug, Clone)]
pub struct Script<'a>(std::slice::Iter<'a, u8>);

impl<'a> Script<'a> {
    /// Starts at the beginning.
    #[must_use]
    pub fn new(script: &'a [u8]) -> Self {
        Self(script.iter())
    }

    /// The next decision.
    pub fn choice(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    /// The next decision, as a number below `end`.
    pub fn below(&mut self, end: u8) -> u8 {
        self.choice() % end
    }

    /// Cuts the next piece off `bytes`; all of them where the script says nothing. Never empty, unless `bytes` is.
    pub fn piece<'b>(&mut self, bytes: &mut &'b [u8]) -> &'b [u8] {
        let wanted = match self.choice() {
            0 => bytes.len(),
            length => usize::from(length).min(bytes.len()),
        };
        let (piece, rest) = bytes.split_at(wanted);
        *bytes = rest;
        piece
    }
}
