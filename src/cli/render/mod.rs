//! What a runtime answers, as text for people. Pure: values in, text out; who writes it to where is said elsewhere.
//!
//! | file | subject |
//! | --- | --- |
//! | `human` | figures: times, sizes, shares of a CPU |
//! | `colour` | colours, which never carry a meaning alone |
//! | `table` | columns of text with borders |
//! | `sort` | the order of instances |
//! | `list` | `pmr list` |
//! | `show` | `pmr show` |
//! | `crashes` | `pmr crashes` |
//! | `pm2` | `pmr jlist`, in pm2's shape |
//! | `env` | `pmr env` |
//! | `report` | the head of `pmr report` |
//! | `verdict` | how an operation ended, and what happens meanwhile |
//! | `line` | a line of a log |

pub(super) mod colour;
pub(super) mod crashes;
pub(super) mod env;
pub(super) mod human;
pub(super) mod line;
pub(super) mod list;
#[cfg(test)]
mod pm2;
pub(super) mod reply;
pub(super) mod report;
pub(super) mod show;
pub(super) mod sort;
mod table;
pub(super) mod verdict;

#[cfg(test)]
pub(super) mod samples;
