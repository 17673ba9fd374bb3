//! A real terminal of a given size: tmux on a socket of its own, typed into and looked at.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::wait;

/// A tmux server with one window. It ends with the value.
pub(crate) struct Tmux {
    home: TempDir,
}

impl Tmux {
    /// A window of this size, with a shell that is told nothing by the user's own files. Its prompt is `$ `.
    #[track_caller]
    pub(crate) fn start(columns: u16, rows: u16, environment: &[(&str, &OsStr)]) -> Self {
        let home = tempfile::Builder::new().prefix("pmr-tmux-").tempdir().unwrap();
        let tmux = Self { home };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let mut start = tmux.command();
        start.args(["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows, "env", "-i"]);
        let mut plain: Vec<(&str, &OsStr)> = vec![
            ("TERM", OsStr::new("screen-256color")),
            ("PATH", OsStr::new("/usr/bin:/bin")),
            ("LANG", OsStr::new("C.UTF-8")),
            ("PS1", OsStr::new("$ ")),
        ];
        plain.extend(environment);
        for (name, value) in plain {
            let mut word = std::ffi::OsString::from(name);
            word.push("=");
            word.push(value);
            start.arg(word);
        }
        start.args(["bash", "--noprofile", "--norc"]);
        let output = start.output().expect("tmux is installed: see scripts/setup");
        assert!(output.status.success(), "{output:?}");
        // The status line would take a row from the window.
        tmux.tell(&["set-option", "-g", "status", "off"]);
        tmux.tell(&["resize-window", "-x", &columns, "-y", &rows]);
        tmux.until("the shell's prompt", |screen| screen.starts_with('$').then_some(()));
        tmux
    }

    /// Types a line for the shell. It must not have a newline in it.
    #[track_caller]
    pub(crate) fn runs(&self, line: &str) {
        self.types(line);
        self.press("Enter");
    }

    /// Types text as it is.
    #[track_caller]
    pub(crate) fn types(&self, text: &str) {
        self.tell(&["send-keys", "-l", text]);
    }

    /// Presses a key by tmux's name for it: `Down`, `C-c`, `Escape`.
    #[track_caller]
    pub(crate) fn press(&self, key: &str) {
        self.tell(&["send-keys", key]);
    }

    #[track_caller]
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.tell(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What the screen shows.
    #[track_caller]
    pub(crate) fn screen(&self) -> String {
        self.tell(&["capture-pane", "-p"])
    }

    /// Waits until the screen has what `probe` looks for.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, mut probe: impl FnMut(&str) -> Option<T>) -> T {
        match wait::within(wait::DEADLINE, || probe(&self.screen())) {
            Some(found) => found,
            None => panic!("the screen never had {what}:\n{}", self.screen()),
        }
    }

    /// Waits until the screen shows `part`.
    #[track_caller]
    pub(crate) fn until_shows(&self, part: &str) {
        self.until(part, |screen| screen.contains(part).then_some(()));
    }

    /// One of tmux's words about the window: `alternate_on`, `cursor_flag`, `pane_pid`.
    #[track_caller]
    pub(crate) fn format(&self, name: &str) -> String {
        self.tell(&["display-message", "-p", &format!("#{{{name}}}")]).trim().to_owned()
    }

    fn socket(&self) -> std::path::PathBuf {
        self.home.path().join("tmux")
    }

    /// Its directory, for files of the test.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.socket()).env_remove("TMUX").stdin(Stdio::null());
        command.env("LC_ALL", "C.UTF-8");
        command
    }

    #[track_caller]
    fn tell(&self, words: &[&str]) -> String {
        let output = self.command().args(words).output().unwrap();
        assert!(output.status.success(), "tmux {words:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // The processes of the window get SIGHUP.
        let _gone = self.command().arg("kill-server").output();
    }
}
