//! What two lines that mean the same have in common: without numbers, addresses, and the machine's paths.

/// Longer ones differ in their ends only.
const LONGEST: usize = 200;
/// A word with digits in it that is so long is a name that a program has made up.
const MADE_UP: usize = 8;

/// The line without what differs from one time to the next. Numbers become `#`, of paths the last part is left.
pub(super) fn normalised(line: &str) -> String {
    let words = without_escapes(line);
    let words = words.split_whitespace().map(|word| {
        let whole = word.trim_end_matches(|c: char| "/:,;.)\"'`".contains(c));
        let ending = &word[whole.len()..];
        let last = whole.rsplit('/').next().unwrap_or(whole);
        numberless(last) + ending.trim_start_matches('/')
    });
    words.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

/// The line without colours and the like, and without any other control character.
pub(super) fn without_escapes(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line.chars());
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            text.push(if c.is_control() { ' ' } else { c });
            continue;
        }
        // Up to the letter that ends it.
        rest.by_ref().find(char::is_ascii_alphabetic);
    }
    text
}

/// Each run of letters and digits that is a number, in whatever base, or a made-up name becomes `#`.
fn numberless(word: &str) -> String {
    let mut text = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(if length == 0 { first.len_utf8() } else { length });
        if length > 0 && is_number(run) {
            text.push('#')
        } else {
            text.push_str(run)
        }
        rest = after;
    }
    text
}

fn is_number(run: &str) -> bool {
    // `0x7f`, `123ms`, and the middle of `26T22:00`.
    let begins_as_one = run.starts_with(|c: char| c.is_ascii_digit());
    let may_be_one = run.contains(|c: char| c.is_ascii_digit());
    begins_as_one || may_be_one && (run.chars().all(|c| c.is_ascii_hexdigit()) || run.len() >= MADE_UP)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_differs_from_time_to_time_is_left_out() {
        for (line, wanted) in [
            (
                "Error: listen EADDRINUSE: address already in use :::3000",
                "Error: listen EADDRINUSE: address already in use :::#",
            ),
            ("2026-11-26T22:00:01.123Z failed", "#-#-#:#:#.# failed"),
            ("segfault at 0x7ffe12 in /usr/lib/libc.so.6:", "segfault at # in libc.so.#:"),
            ("job 5f0c9a7e-12ab-4c1d-9e00-aa11bb22cc33 is gone", "job #-#-#-#-# is gone"),
            ("\u{1b}[31mfatal:\u{1b}[0m no utf8 here", "fatal: no utf8 here"),
            ("cannot open '/srv/app-1/data/'", "cannot open data'"),
            ("user u12345678 unknown", "user # unknown"),
        ] {
            assert_eq!(normalised(line), wanted);
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic_and_none_stays_long(line: String) {
            prop_assert!(normalised(&line).chars().count() <= LONGEST);
        }
    }
}
