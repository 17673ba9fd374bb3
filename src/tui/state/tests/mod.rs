//! The dashboard's behaviour, told in keys and answers.

mod keys;
mod properties;
mod runtime;
pub(crate) mod world;
