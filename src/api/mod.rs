//! What the control socket speaks: its words, and what they are called. docs/control-api.md is the user's view.
//!
//! | file | subject |
//! | --- | --- |
//! | `types` | every body of a request or an answer |
//! | `clients` | who is connected to an instance, in words |
//! | `crash` | workers that died abnormally |
//! | `messages` | those about messages to apps |
//! | `node` | what Node workers report of themselves |
//! | `pm2` | what pm2 tells in JSON, made of the same bodies |
//! | `text` | words that may be no UTF-8, on the wire |
//! | `routes` | which path and method means what |

mod clients;
pub mod crash;
pub mod history;
pub mod insight;
pub mod messages;
pub mod node;
pub mod pm2;
pub mod routes;
pub mod text;
pub mod types;
