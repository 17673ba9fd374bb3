//! `--web [[ADDRESS:]PORT]`, whose value may stand in the next word as with pm2, or be absent.

use std::ffi::OsString;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub(super) struct Web {
    /// pm2's port of an HTTP interface
    #[arg(long, hide = true, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    web: Option<OsString>,
}

impl Web {
    /// What people should know of it.
    pub(super) fn remark(&self) -> Option<String> {
        let remark = "`--web` has no effect: there is no web page; `pmr monit`, and the routes of the control socket, show \
                      what happens";
        self.web.is_some().then(|| remark.to_owned())
    }
}
