//! Asks an interpreter for its version by running it. For the client only, a process of its own: in the runtime, the
//! event loop would collect the child.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// An interpreter that takes longer to say its version does something else.
const LIMIT: Duration = Duration::from_secs(2);

/// More than any of them says in its first line.
const MAX_LINE: u64 = 4096;

/// The version that `program --version` prints, within two seconds. Blocks.
#[must_use]
pub fn version(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version");
    version_in(&first_line(command, LIMIT)?)
}

/// The first line of what `command` prints; what there is of it when time is up. Whatever it has started and left in
/// its process group is ended.
fn first_line(mut command: Command, limit: Duration) -> Option<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().ok()?;
    let line = child.stdout.take().and_then(|output| read_line(output, limit));
    end(child);
    line
}

/// Waits in a thread, which ends with the last process that holds the pipe.
fn read_line(output: ChildStdout, limit: Duration) -> Option<String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new()
        .spawn(move || {
            let mut line = Vec::new();
            let read = BufReader::new(output.take(MAX_LINE)).read_until(b'\n', &mut line);
            // Nobody listens any more when time is up.
            let _ = sender.send(read.map(|_| String::from_utf8_lossy(&line).into_owned()));
        })
        .ok()?;
    receiver.recv_timeout(limit).ok()?.ok()
}

#[expect(clippy::disallowed_methods, reason = "the client has no event loop that collects children")]
fn end(mut child: Child) {
    // It has not been waited for, so its group cannot be another's. Where it has ended by itself this changes nothing.
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let _ = child.wait();
}

/// `20.11.1` of `v20.11.1`, `Python 3.11.2`, `PHP 8.2.7 (cli)`, `ruby 3.1.2p20 (2022-04-12)`.
fn version_in(line: &str) -> Option<String> {
    line.split_whitespace().find_map(|word| {
        let word = word.strip_prefix('v').unwrap_or(word);
        let of_version = |c: char| c.is_ascii_alphanumeric() || ".+-_".contains(c);
        let is_version = word.starts_with(|c: char| c.is_ascii_digit())
            && word.contains('.')
            && word.len() <= 64
            && word.chars().all(of_version);
        is_version.then(|| word.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line_of(script: &str, limit: Duration) -> Option<String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        first_line(command, limit)
    }

    #[test]
    fn the_version_is_the_first_word_that_looks_like_one() {
        for (line, version) in [
            ("v20.11.1\n", Some("20.11.1")),
            ("1.1.42\n", Some("1.1.42")),
            ("deno 2.0.0 (stable, release, x86_64-unknown-linux-gnu)", Some("2.0.0")),
            ("Python 3.13.0rc1+", Some("3.13.0rc1+")),
            ("ruby 3.1.2p20 (2022-04-12 revision 4491bb740a) [x86_64-linux]", Some("3.1.2p20")),
            ("PHP 8.2.7 (cli) (built: Jun  9 2023 19:37:27) (NTS)", Some("8.2.7")),
            ("usage: thing [options]", None),
            ("1.0\u{1b}[2J", None),
            ("", None),
        ] {
            assert_eq!(version_in(line).as_deref(), version, "{line}");
        }
    }

    #[test]
    fn the_first_line_is_enough_whatever_comes_after_it() {
        let script = "echo first; echo second; exec sleep 1000";
        assert_eq!(line_of(script, Duration::from_secs(60)).as_deref(), Some("first\n"));
    }

    #[test]
    fn who_says_nothing_is_ended() {
        assert_eq!(line_of("sleep 1000 & exec sleep 1000", Duration::from_millis(50)), None);
        assert_eq!(line_of("exit 3", Duration::from_secs(60)).as_deref(), Some(""));
    }

    #[test]
    fn who_says_too_much_is_not_listened_to_for_long() {
        let line = line_of("while :; do printf aaaaaaaaaaaaaaaa; done", Duration::from_secs(60)).unwrap();
        assert_eq!(line.len() as u64, MAX_LINE);
    }

    #[test]
    fn what_cannot_be_run_has_no_version() {
        assert_eq!(version(Path::new("/nonexistent/node")), None);
        assert_eq!(version(Path::new("/dev/null")), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: String) {
            let _ = version_in(&line);
        }
    }
}
