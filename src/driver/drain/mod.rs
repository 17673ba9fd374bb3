//! Whether a worker that is about to be asked to end has answered all that it was asked, in whatever language it is
//! written.
//!
//! | file | subject |
//! | --- | --- |
//! | `judge` | one connection: from looks at it, whether a request over it is unanswered. Pure |
//! | `watch` | one worker: when it has answered all, and the moment to ask it. Pure |
//! | `look` | what the kernel and /proc show of all that drain |
//! | `parting` | the moment of the signal itself: no thread of an idle worker may accept before it has ended |
//! | `drains` | the app's part: who drains, and when to look next |

mod drains;
mod judge;
mod look;
mod parting;
mod watch;

pub(super) use drains::Drains;
