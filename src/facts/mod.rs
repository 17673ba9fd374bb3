//! What there is to know about an app without asking it: its version, the git checkout it lies in, its interpreter.
//!
//! Read when somebody asks, never at the start of an app, and without starting a process: git's files are read as they
//! are. `known` holds the answers; `manifest`, `git_config`, `refs` and `remote` read bytes and are pure; `gather` and
//! what it calls touch files. Files are an app's own and may hold anything: each is read up to a limit, and one that
//! makes no sense is passed over. `running` is for the client alone, which may start processes.

mod checkout;
mod file;
pub mod gather;
pub mod git_config;
pub mod interpreter;
pub mod known;
pub mod manifest;
pub mod refs;
pub mod remote;
pub mod running;
mod version;
