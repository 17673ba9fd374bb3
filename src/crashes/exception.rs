//! An exception as a Node worker tells of it: its first line, and its stack.

use crate::api::crash::ExceptionView;

/// What stands for the name where something was thrown that is no error.
const NAMELESS: &str = "Uncaught";

/// The exception of this first line: `TypeError: x is not a function`.
#[must_use]
pub fn of(line: &str, stack: Option<String>) -> ExceptionView {
    let (name, message) = match line.split_once(": ") {
        Some((name, message)) if is_name(name) => (name, message),
        _ if is_name(line) && stack.is_some() => (line, ""),
        _ => (NAMELESS, line),
    };
    ExceptionView { name: name.to_owned(), message: message.to_owned(), stack }
}

/// `TypeError`, `MongoServerError`, `TypeError [ERR_INVALID_ARG_TYPE]`.
fn is_name(text: &str) -> bool {
    let (word, code) = text.split_once(' ').unwrap_or((text, "[]"));
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "_$.".contains(c));
    let code = code.strip_prefix('[').and_then(|code| code.strip_suffix(']'));
    word.starts_with(char::is_alphabetic) && plain(word) && code.is_some_and(plain)
}

/// In one line.
#[must_use]
pub fn summary(exception: &ExceptionView) -> String {
    match exception {
        ExceptionView { name, message, .. } if message.is_empty() => name.clone(),
        ExceptionView { name, message, .. } => format!("{name}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str, stack: Option<&str>) -> (String, String) {
        let ExceptionView { name, message, .. } = of(line, stack.map(str::to_owned));
        (name, message)
    }

    fn pair(name: &str, message: &str) -> (String, String) {
        (name.to_owned(), message.to_owned())
    }

    #[test]
    fn the_name_stands_before_the_message() {
        assert_eq!(parts("TypeError: a: b", Some("s")), pair("TypeError", "a: b"));
        let coded = "TypeError [ERR_INVALID_ARG_TYPE]";
        assert_eq!(parts(&format!("{coded}: no"), Some("s")), pair(coded, "no"));
        assert_eq!(parts("Error", Some("Error\n at x")), pair("Error", ""));
    }

    #[test]
    fn what_is_no_error_has_no_name() {
        for line in ["plain", "cannot do it: no", "7: x", "{\"a\":1}", ""] {
            assert_eq!(parts(line, None), pair("Uncaught", line));
        }
    }

    #[test]
    fn a_summary_is_the_line_again() {
        assert_eq!(summary(&of("E: x", None)), "E: x");
        assert_eq!(summary(&of("Error", Some(String::new()))), "Error");
    }
}
