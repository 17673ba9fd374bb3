//! Tells when files of an app change: by the kernel's word (inotify), or where that does not come, by looking.
//!
//! ```text
//! a thread of its own: walk the tree, watch each directory --> wait --changes--> rules --> tell
//! ```
//!
//! The thread waits in the kernel and costs nothing while nothing changes; it does all that touches the disk, so that the event
//! loop does not. What it tells of is one path and a number, however much has changed. It ends with its [`Watcher`].
//!
//! | file | subject |
//! | --- | --- |
//! | `names`, `rules` | what is passed over (pure) |
//! | `scope` | the two together, for one app |
//! | `walk` | the directories and files that count |
//! | `tree` | the directories that the kernel watches |
//! | `look` | the same without the kernel's help |
//! | `watcher` | the thread |

mod look;
pub mod names;
pub mod rules;
mod scope;
mod tree;
mod walk;
mod watcher;

pub use names::Own;
pub use scope::Settings;
pub use watcher::{Change, Watcher};

#[cfg(test)]
mod tests;
