//! The options that say which files are watched.

use super::reader::Reader;
use crate::config::env::Environment;
use crate::config::raw::Flags;
use crate::config::watch::{DELAY, paths, patterns};
use crate::config::{duration, health, setting};
use crate::spec::WatchPolicy;

/// Reads them; a problem goes to `reader`, and the default stands in for the value.
pub(super) fn read(reader: &mut Reader, flags: &Flags, env: &Environment) -> Option<WatchPolicy> {
    let paths = reader.text(setting::WATCH, &flags.watch, &env.pmr_watch, paths);
    let ignore = reader.text(setting::IGNORE_WATCH, &flags.ignore_watch, &env.pmr_ignore_watch, patterns);
    let delay = reader.text(setting::WATCH_DELAY, &flags.watch_delay, &env.pmr_watch_delay, duration::parse);
    let polling = reader.text(setting::WATCH_POLL, &flags.watch_poll, &env.pmr_watch_poll, health::span);
    Some(WatchPolicy {
        paths: paths.flatten()?,
        ignore: ignore.unwrap_or_default(),
        delay: delay.unwrap_or(DELAY),
        polling,
    })
}
