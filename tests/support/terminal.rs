//! A runtime on a pseudo-terminal.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;

use super::capture::Capture;
use super::launch::Launch;
use super::runtime::Runtime;
use super::wait::DEADLINE;

/// What Ctrl-C sends to the terminal.
pub(crate) const CTRL_C: &[u8] = b"\x03";

/// The keyboard and screen of a runtime.
pub(crate) struct Terminal {
    pub(crate) runtime: Runtime,
    keyboard: File,
    pub(crate) screen: Capture,
}

impl Terminal {
    /// Starts `launch` as leader of a session whose controlling terminal is a new pseudo-terminal. Standard error
    /// is on it too.
    #[track_caller]
    pub(crate) fn spawn(launch: Launch) -> Self {
        let pty = nix::pty::openpty(None, None).unwrap();
        let slave = File::from(pty.slave);
        let launch = launch
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .through(["setsid", "--ctty", "sh", "-c", "exec \"$0\" \"$@\" 2>&1"]);
        let runtime = launch.spawn();
        drop(slave);
        let keyboard = File::from(pty.master);
        let screen = Capture::of(keyboard.try_clone().unwrap());
        Self { runtime, keyboard, screen }
    }

    /// As `spawn`, but the output goes where it goes without a terminal. For what is said last: when the leader of a session
    /// ends, the kernel hangs its terminal up and throws away what nobody has read from it yet.
    #[track_caller]
    pub(crate) fn keyboard_of(launch: Launch) -> Self {
        let pty = nix::pty::openpty(None, None).unwrap();
        let runtime = launch.stdin(Stdio::from(File::from(pty.slave))).through(["setsid", "--ctty"]).spawn();
        let keyboard = File::from(pty.master);
        let screen = Capture::of(keyboard.try_clone().unwrap());
        Self { runtime, keyboard, screen }
    }

    /// Types.
    pub(crate) fn types(&mut self, bytes: &[u8]) {
        self.keyboard.write_all(bytes).unwrap();
    }

    /// Waits until the screen shows what `probe` looks for.
    #[track_caller]
    pub(crate) fn until_screen<T>(&self, what: &str, probe: impl FnMut(&str) -> Option<T>) -> T {
        match self.screen.wait(DEADLINE, probe) {
            Some(found) => found,
            None => panic!("the screen never had {what}:\n{}", self.screen.tail()),
        }
    }

    /// Waits until the screen shows `part`.
    #[track_caller]
    pub(crate) fn until_shows(&self, part: &str) {
        self.until_screen(part, |text| text.contains(part).then_some(()));
    }
}
