//! `npm start` and its like: the script of package.json that is meant, and how it is run without the package manager.
//!
//! Pure: files are looked at through [`Files`]. What is resolved here runs as the package manager would have run it, in its
//! environment and directory; where that is not certain, the command stays as it is.
//!
//! ```text
//! npm run web -- --port 1 ──line──▶ script `web`, words ──manifest──▶ `cross-env A=1 next start`
//!   ──script──▶ simple words, or shell ──variables──▶ environment ──executable──▶ `node …/.bin/next start --port 1`
//! ```

mod executable;
mod flatten;
mod line;
mod manager;
mod manifest;
mod outcome;
mod place;
mod resolve;
mod rules;
mod script;
mod settings;
mod tool;
mod variables;

#[cfg(test)]
mod tests;

pub use outcome::{Before, Direct, Kept, Outcome, Resolution};
pub use resolve::{Files, Hooks, Surroundings, may_be_script, resolve, shown};
