//! Configuration files: apps declared in a file, in pm2's words or in ours.
//!
//! `declaration` is pure: it reads a document into declarations, or into all that is wrong with them, and translates each
//! into the words of a command line, which the rest of the program understands already. So there is one place where a
//! setting is judged. `files` finds and reads the files; `evaluate` has those that are programs evaluated by the user's own
//! Node or Bun.

pub mod declaration;
pub mod evaluate;
pub mod files;

#[cfg(test)]
mod tests;
