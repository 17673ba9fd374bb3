//! Every verb on real runtimes, as people call them: by the name `pmr`, and as `pmr-runtime VERB`.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]
#![expect(clippy::disallowed_methods, reason = "as in `support`, tests wait for their own children")]

#[path = "../support/mod.rs"]
mod support;

mod change;
mod choose;
mod declared;
mod facts;
mod home;
mod keep;
mod list;
mod logs;
mod monit;
mod prelude;
mod procfile;
mod refile;
mod start;
mod words;
