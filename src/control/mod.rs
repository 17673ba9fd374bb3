//! The control socket: HTTP with JSON, for the command line, the dashboards and `curl --unix-socket`.
//!
//! | file | subject |
//! | --- | --- |
//! | `place` | where the socket is |
//! | `bind` | puts it there, safely |
//! | `find` | looks for those of others |
//! | `peer` | who is at the other end |

pub mod bind;
pub mod find;
pub mod peer;
pub mod place;
