//! The memory that all workers share, where it has a limit: when it runs short, and who gives way. Pure.

mod guard;
mod look;

pub use guard::Guard;
pub use look::{Look, Strained, Weight};

#[cfg(test)]
mod tests;
