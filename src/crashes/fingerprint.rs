//! Which crashes are alike: a number made of what stays the same when the same thing happens again.

use super::frames;
use super::text::normalised;
use crate::api::crash::{CrashCause, ExceptionView};

/// FNV-1a, of 64 bits: small, and the same in every version of this program.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// What a crash is told by.
#[derive(Debug, Clone, Copy)]
pub struct Features<'a> {
    pub app: &'a str,
    pub cause: CrashCause,
    pub reason: &'a str,
    pub exception: Option<&'a ExceptionView>,
    /// The last line that the worker wrote to its standard error.
    pub last_line: Option<&'a str>,
    /// The app's directory.
    pub directory: &'a str,
}

/// Sixteen hexadecimal digits.
#[must_use]
pub fn of(features: &Features<'_>) -> String {
    let mut hash = OFFSET;
    for part in parts(features) {
        // The zero keeps `ab`, `c` from being `a`, `bc`.
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    format!("{hash:016x}")
}

fn parts(features: &Features<'_>) -> Vec<String> {
    let Features { app, cause, reason, exception, last_line, directory } = *features;
    let mut parts = vec![app.to_owned(), cause.as_str().to_owned()];
    match (exception, cause) {
        (Some(ExceptionView { name, message, stack }), _) => {
            parts.push(name.clone());
            let frames = frames::top(stack.as_deref().unwrap_or_default(), directory);
            if frames.is_empty() {
                parts.push(normalised(message));
            }
            parts.extend(frames);
        }
        (None, CrashCause::Exit | CrashCause::Signal | CrashCause::Exception) => {
            parts.push(reason.to_owned());
            parts.extend(last_line.map(normalised));
        }
        (None, CrashCause::Spawn) => parts.push(normalised(reason)),
        // The lines before say what it was busy with, not what was wrong.
        (None, CrashCause::Oom | CrashCause::Watchdog | CrashCause::Memory) => parts.push(reason.to_owned()),
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT: Features<'_> = Features {
        app: "web",
        cause: CrashCause::Exit,
        reason: "exit code 1",
        exception: None,
        last_line: None,
        directory: "/app",
    };

    fn exception(message: &str, stack: &str) -> ExceptionView {
        ExceptionView { name: "E".to_owned(), message: message.to_owned(), stack: Some(stack.to_owned()) }
    }

    fn with(exception: &ExceptionView) -> String {
        of(&Features { cause: CrashCause::Exception, exception: Some(exception), ..EXIT })
    }

    #[test]
    fn a_fingerprint_is_the_same_in_every_version() {
        assert_eq!(of(&EXIT), "1b96ae6701f21cbf");
    }

    #[test]
    fn numbers_in_the_last_line_do_not_tell_crashes_apart() {
        let line = |last_line| of(&Features { last_line, ..EXIT });
        assert_eq!(line(Some("job 1 failed")), line(Some("job 2 failed")));
        assert_ne!(line(Some("job 1 failed")), line(Some("task 1 failed")));
        assert_ne!(line(Some("job 1 failed")), line(None));
    }

    #[test]
    fn another_app_status_or_cause_is_another_crash() {
        assert_ne!(of(&EXIT), of(&Features { app: "api", ..EXIT }));
        assert_ne!(of(&EXIT), of(&Features { reason: "exit code 2", ..EXIT }));
        assert_ne!(of(&EXIT), of(&Features { cause: CrashCause::Signal, ..EXIT }));
    }

    #[test]
    fn exceptions_are_alike_by_name_and_frames_else_by_message() {
        let one = exception("user 1", "E: user 1\n at f (/app/a.js:1:1)\n at x (node:fs:1:1)");
        let again = exception("no user", "E: no user\n at f (/app/a.js:9:9)\n at x (node:fs:5:5)");
        let other = exception("user 1", "E: user 1\n at g (/app/a.js:1:1)");
        assert_eq!(with(&one), with(&again));
        assert_ne!(with(&one), with(&other));
        let frameless = |message: &str| with(&exception(message, ""));
        assert_eq!(frameless("user 1"), frameless("user 2"));
        assert_ne!(frameless("user 1"), frameless("no user"));
    }

    #[test]
    fn a_worker_that_stalls_is_not_told_by_what_it_wrote_before() {
        let stalled = |last_line| of(&Features { cause: CrashCause::Watchdog, last_line, ..EXIT });
        assert_eq!(stalled(Some("a")), stalled(Some("b")));
    }
}
