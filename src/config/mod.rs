//! From the command line, the environment and the machine to one set of settings, or to all that is wrong with them.
//!
//! `sources` reads the world, `env` and `raw` hold what was given as text, `resolve` makes [`settings::Settings`] of it.
//! Only `sources` touches files, the environment or the CPUs; everything else is pure.

mod accounts;
pub mod cgroup;
pub mod crash;
pub mod duration;
pub mod env;
pub mod health;
pub mod interpreter;
pub mod logs;
pub mod name;
pub mod node;
pub mod package;
pub mod pm2;
pub mod problem;
pub mod raw;
pub mod resolve;
pub mod setting;
pub mod settings;
pub mod sizing;
pub mod sources;
pub mod values;
pub mod watch;
