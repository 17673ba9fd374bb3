//! The verbs: `pmr list`, `pmr reload web`, … Each asks a runtime over its control socket; docs/cli.md is the user's
//! view.
//!
//! | file | subject |
//! | --- | --- |
//! | `entry` | whether a command line is one of ours, and what comes of it |
//! | `words` | which words are verbs |
//! | `args` | the grammar |
//! | `pm2` | pm2's verbs that we do not have, and why |
//! | `usage` | what is wrong with its words |
//! | `error` | what can go wrong, and what to do about it |
//! | `session` | what a verb works with: surroundings, output |
//! | `background` | a runtime that stays when we go |
//! | the others | a verb each, or a close family |

mod args;
mod background;
mod change;
mod completion;
mod crashes;
mod entry;
mod env;
mod error;
mod events;
mod facts;
mod files;
mod insight;
mod interpreter;
mod list;
mod logs;
mod messages;
mod monit;
mod pm2;
mod report;
mod resurrect;
mod session;
mod show;
mod start;
mod startup;
mod unit;
mod update;
mod usage;
mod validate;
mod words;

#[cfg(test)]
pub(super) use args::{grammar, verbs as names};
pub(super) use entry::run;
#[cfg(test)]
pub(super) use pm2::absence;

#[cfg(test)]
mod tests;
