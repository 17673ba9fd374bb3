//! What workers and the machine use: CPU time, memory, processes. Read from /proc when asked for, never of its own accord.
//!
//! `usage` holds the figures, `proc` reads the kernel's files as text, `tree` and `rate` work out which process belongs
//! to which worker and what share of a CPU it took; all of these are pure, as is
//! `node`, which reads what Node workers report. `families` makes samples of all that, `render` a page of these. `source`
//! reads /proc, `clients` asks the kernel who is connected, which `tally` counts (pure), `sampler` puts all together. Nothing
//! here knows the driver or the supervisor.

mod clients;
pub mod families;
pub mod node;
pub mod proc;
mod rate;
pub mod render;
pub mod sampler;
mod source;
mod tally;
pub mod totals;
mod tree;
pub mod usage;
