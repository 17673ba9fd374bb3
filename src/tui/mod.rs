//! `pmr monit`: the dashboard in a terminal. docs/monit.md is the user's view.
//!
//! | part | its job |
//! | --- | --- |
//! | `state` | what is shown and selected: (state, input) → (state, effects). Pure |
//! | `view` | a state → a screen of cells → the bytes that bring a terminal there. Pure |
//!
//! It knows the runtime by the words of `api` alone.

pub mod state;
pub mod view;
