//! `pmr monit`: the dashboard in a terminal. docs/monit.md is the user's view.
//!
//! | part | its job |
//! | --- | --- |
//! | `state` | what is shown and selected: (state, input) → (state, effects). Pure |
//! | `view` | a state → a screen of cells → the bytes that bring a terminal there. Pure |
//! | `source`, `client` | what is asked of a runtime, and how |
//! | `screen`, `keyboard` | the terminal itself: taken, and always given back |
//! | `run` | the loop between keys, the runtime's answers, and the screen |
//!
//! It knows the runtime by the words of `api` alone.

mod client;
mod keyboard;
pub mod run;
mod screen;
pub mod source;
pub mod state;
pub mod view;
