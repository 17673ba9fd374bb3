//! How long it may take until a Node worker has looked into itself.

use std::time::Duration;

/// How long a profile takes where nothing is said, in seconds.
pub const SECONDS: usize = 10;
/// At most.
pub const MOST_SECONDS: usize = 300;
/// A worker that has not begun after so long does not.
pub const BEGINS_WITHIN: Duration = Duration::from_secs(5);
/// What comes after the time of a profile: a snapshot may take minutes, with Node 18 many.
pub const DONE_WITHIN: Duration = Duration::from_secs(900);
