//! What the dashboard looks like. Pure: a state and a look in, cells out, and bytes that bring a terminal from one screen
//! to the next.
//!
//! | file | subject |
//! | --- | --- |
//! | `screen` | the layout: which part is where at which size |
//! | `look` | colours and signs, as the terminal can show them |
//! | `canvas` | puts text into cells: cut, coloured, harmless |
//! | `list`, `log`, `details`, `help`, `bars` | the parts |
//! | `figures` | sizes, times and curves as people read them |
//! | `text` | how wide text is, cut or folded to fit |
//! | `ansi` | cells → bytes |

#![forbid(unsafe_code)]

pub mod ansi;
mod bars;
mod canvas;
mod details;
mod figures;
mod help;
mod list;
mod log;
pub mod look;
pub mod screen;
mod text;

#[cfg(test)]
mod tests;
