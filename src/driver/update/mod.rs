//! The update of the runtime in place: another executable goes on in this process, with its children and descriptors.
//!
//! ```text
//!  asked ─▶ candidate found ─▶ tried with our state ─▶ all at rest ─▶ execve ─▶ the new program adopts everything
//!               │ no               │ it cannot            │ not in time   │ fails
//!               └──────────────────┴──────────────────────┴───────────────┴──▶ we go on as before, and say why
//! ```
//!
//! At rest means that nothing is under way which only our memory knows: nothing that was read and not dealt with, nothing that
//! is to be written, no order that is not answered. What workers say and ask meanwhile waits in the kernel, as does every signal.
//! From the last look on to the `execve` there is no `await`, so nothing comes in between.
//!
//! | file | subject |
//! | --- | --- |
//! | `candidate` | which executable; whether it can take over |
//! | `state` | all that is handed over, as JSON |
//! | `collect` | from the driver to that state |
//! | `rest` | how all comes to rest |
//! | `leave` | from the question to the `execve` |
//! | `resume` | the new program: from the state to a driver that goes on |

mod candidate;
mod collect;
mod leave;
mod rest;
mod resume;
mod state;

pub(super) use leave::{Tried, Update};
pub use resume::{Inherited, OpenOutputs};
pub use state::{CheckError, check, handed_on};
