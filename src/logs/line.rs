//! A line as it is shown to whoever asks for logs: when, whose, and what it says; and which lines are wanted.
//!
//! Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::Level;

use super::format::Stream;
use crate::process::Pid;
use crate::spec::{AppId, InstanceId};

/// One line of a worker, or one message of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When its end was read, in milliseconds since 1970.
    pub time: u64,
    pub origin: Origin,
    /// Without its line end. Bytes that are not UTF-8 are U+FFFD; `…` stands for a start that is not kept any more.
    pub text: String,
}

/// Whose line it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A worker's.
    App { app: AppId, name: Arc<str>, instance: InstanceId, pid: Pid, stream: Stream },
    /// Ours.
    Runtime { level: Level },
}

/// Which lines are wanted. The default is all of all apps, without our own messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these apps'; all where `None`.
    pub apps: Option<BTreeSet<AppId>>,
    /// Only these instances'; all where `None`.
    pub instances: Option<BTreeSet<InstanceId>>,
    /// Only this stream's; both where `None`.
    pub stream: Option<Stream>,
    /// Whether our own messages are wanted, too.
    pub runtime: bool,
}

impl Filter {
    /// Whether lines of `origin` are wanted.
    #[must_use]
    pub fn wants(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Runtime { .. } => self.runtime,
            Origin::App { app, instance, stream, .. } => {
                self.wants_app(*app)
                    && self.instances.as_ref().is_none_or(|wanted| wanted.contains(instance))
                    && self.stream.is_none_or(|wanted| wanted == *stream)
            }
        }
    }

    /// Whether any lines of `app` are wanted.
    #[must_use]
    pub fn wants_app(&self, app: AppId) -> bool {
        self.apps.as_ref().is_none_or(|wanted| wanted.contains(&app))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(app: u32, instance: u32, stream: Stream) -> Origin {
        let (app, instance) = (AppId(app), InstanceId(instance));
        Origin::App { app, name: "web".into(), instance, pid: Pid::new(1), stream }
    }

    #[test]
    fn without_any_wish_all_lines_of_apps_are_wanted() {
        assert!(Filter::default().wants(&origin(3, 2, Stream::Stderr)));
        assert!(!Filter::default().wants(&Origin::Runtime { level: Level::INFO }));
    }

    #[test]
    fn every_wish_must_be_met() {
        let filter = Filter {
            apps: Some([AppId(1)].into()),
            instances: Some([InstanceId(0)].into()),
            stream: Some(Stream::Stdout),
            runtime: true,
        };
        assert!(filter.wants(&origin(1, 0, Stream::Stdout)));
        assert!(!filter.wants(&origin(2, 0, Stream::Stdout)));
        assert!(!filter.wants(&origin(1, 1, Stream::Stdout)));
        assert!(!filter.wants(&origin(1, 0, Stream::Stderr)));
        assert!(filter.wants(&Origin::Runtime { level: Level::INFO }));
    }
}
