//! `--web [[ADDRESS:]PORT]`, whose value may stand in the next word as with pm2, or be absent; and what belongs to it.

use std::ffi::OsString;

use clap::Args;

#[derive(Debug, Clone, Default, Args)]
pub(super) struct Web {
    /// Metrics, probes and API [env: PMR_WEB] [default: off]
    #[arg(long, value_name = "[ADDR:]PORT", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) web: Option<OsString>,

    /// Nothing can be changed there, with the token neither [env: PMR_WEB_READ_ONLY=true]
    #[arg(long, hide = true)]
    pub(super) web_read_only: bool,

    /// Keep figures over time [env: PMR_HISTORY] [default: with --web]
    #[arg(long, hide = true)]
    pub(super) history: bool,
}
