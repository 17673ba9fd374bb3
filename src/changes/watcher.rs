//! The thread that waits for changes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;

use super::look::fingerprint;
use super::scope::{Scope, Settings};
use super::tree::Tree;
use crate::sys::signals::leave_to_the_main_thread;

/// The walk keeps what is to be done on the heap.
const STACK: usize = 256 * 1024;
/// What comes in so short a time is told of together.
const BREATH: Duration = Duration::from_millis(10);
/// How often it is looked whether a path that is missing has come.
const AGAIN: Duration = Duration::from_secs(1);

/// Files that have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The first of them; empty where that is not known.
    pub path: String,
    pub files: u32,
}

impl Change {
    pub(super) fn add(&mut self, path: &Path) {
        self.join(Self { path: path.display().to_string(), files: 1 });
    }

    pub(super) fn join(&mut self, other: Self) {
        if self.files == 0 {
            self.path = other.path;
        }
        self.files = self.files.saturating_add(other.files);
    }
}

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    /// Its other end is the thread's, which sees it close.
    _stop: OwnedFd,
}

impl Watcher {
    /// Begins to watch. `tell` is called on a thread of its own; once it answers `false`, watching ends.
    ///
    /// # Errors
    /// When there is no descriptor or no thread left.
    pub fn start(settings: Settings, tell: impl Fn(Change) -> bool + Send + 'static) -> io::Result<Self> {
        let (stopped, stop) = pipe2(OFlag::O_CLOEXEC)?;
        std::thread::Builder::new().name("pmr-watch".into()).stack_size(STACK).spawn(move || {
            leave_to_the_main_thread();
            run(Scope::new(settings), &stopped, &tell);
        })?;
        Ok(Self { _stop: stop })
    }
}

fn run(scope: Scope, stopped: &OwnedFd, tell: &dyn Fn(Change) -> bool) {
    let Some(interval) = scope.settings.polling else {
        return match Tree::new(scope) {
            Ok(tree) => hear(tree, stopped, tell),
            Err(error) => tracing::warn!(
                "`--watch`: nothing is watched, because the kernel gives no more watchers ({error}); raise \
                 `sysctl fs.inotify.max_user_instances`, or give `--watch-poll 1s`"
            ),
        };
    };
    let mut known = fingerprint(&scope);
    while !is_over(stopped, interval) {
        let found = fingerprint(&scope);
        if std::mem::replace(&mut known, found) != found && !tell(Change { path: String::new(), files: 1 }) {
            return;
        }
    }
}

fn hear(mut tree: Tree, stopped: &OwnedFd, tell: &dyn Fn(Change) -> bool) {
    loop {
        let patience = tree.misses_some().then_some(AGAIN);
        let Some(has_come) = wait(stopped, Some(tree.as_fd()), patience) else { return };
        let mut change = if has_come { tree.take() } else { Change::default() };
        if tree.misses_some() {
            change.join(tree.look_for_missing());
        }
        if change.files > 0 && !tell(change) || is_over(stopped, BREATH) {
            return;
        }
    }
}

fn is_over(stopped: &OwnedFd, within: Duration) -> bool {
    wait(stopped, None, Some(within)).is_none()
}

/// Waits for word from the kernel. `None` where the watcher was dropped.
fn wait(stopped: &OwnedFd, tree: Option<BorrowedFd<'_>>, limit: Option<Duration>) -> Option<bool> {
    let mut polled: Vec<_> = std::iter::once(stopped.as_fd())
        .chain(tree)
        .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
        .collect();
    let limit =
        limit.map_or(PollTimeout::NONE, |limit| PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX));
    match poll(&mut polled, limit) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Some(false),
        // There is no memory for it now; nobody is helped by an end.
        Err(_) => std::thread::sleep(AGAIN),
    }
    let has_come = |polled: &PollFd<'_>| polled.revents().is_some_and(|events| !events.is_empty());
    if has_come(&polled[0]) { None } else { Some(polled.get(1).is_some_and(has_come)) }
}
