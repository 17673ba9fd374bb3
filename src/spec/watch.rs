//! Which of an app's files are watched, and what follows when they change.

use std::ffi::OsString;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bytes;

/// Files whose changes lead to a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchPolicy {
    /// Files and directories with all that is below them, seen from the app's directory; that itself where there are none.
    #[serde(with = "bytes::list")]
    pub paths: Vec<OsString>,
    /// What is passed over, in the words of .gitignore.
    pub ignore: Vec<String>,
    /// How long nothing must have changed before the reload begins.
    pub delay: Duration,
    /// How often to look, where the kernel does not tell of changes.
    pub polling: Option<Duration>,
}
