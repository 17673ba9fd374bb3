//! Options whose values pm2 takes from the words behind them, where they may as well be absent, or several.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;

/// Makes one word of `--web` and the word at `at`, if that is its value. Says whether it was.
pub(super) fn web(argv: &mut Vec<OsString>, at: usize) -> bool {
    let is_its_value = at > 1 && argv[at - 1] == "--web" && argv.get(at).is_some_and(is_address);
    if is_its_value {
        let value = argv.remove(at);
        argv[at - 1].push("=");
        argv[at - 1].push(value);
    }
    is_its_value
}

/// Makes one word of the numbers behind `--stop-exit-codes`, which pm2 takes as words of their own.
fn codes(argv: &mut Vec<OsString>, first: usize) {
    let end = argv.iter().position(|word| word == "--").unwrap_or(argv.len());
    let Some(at) = argv[first.min(end)..end].iter().position(|word| word == "--stop-exit-codes") else {
        return;
    };
    let values = first + at + 1;
    let is_code = |word: &&OsString| word.to_str().is_some_and(|word| word.parse::<u8>().is_ok());
    let count = argv[values.min(end)..end].iter().take_while(is_code).count();
    if count > 1 {
        let codes: Vec<OsString> = argv.drain(values..values + count).collect();
        argv.insert(values, codes.join(OsStr::new(",")));
    }
}

/// Makes one word of each option and its value, from `first` to `--`.
pub(super) fn all(argv: &mut Vec<OsString>, first: usize) {
    codes(argv, first);
    let mut at = first + 1;
    while at < argv.len() && argv[at - 1] != "--" {
        if !web(argv, at) {
            at += 1;
        }
    }
}

fn is_address(word: &OsString) -> bool {
    word.to_str().is_some_and(|word| word.parse::<u16>().is_ok() || word.parse::<SocketAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_value_is_taken_for_one() {
        let joined = |line: &str| {
            let mut words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            all(&mut words, 1);
            words.join(" ".as_ref()).into_string().unwrap()
        };
        assert_eq!(joined("pmr app.js --web 9615 -i 2"), "pmr app.js --web=9615 -i 2");
        assert_eq!(joined("pmr app.js --web 127.0.0.1:80"), "pmr app.js --web=127.0.0.1:80");
        for line in
            ["pmr --web app.js", "pmr app.js --web", "pmr app.js -- --web 80", "pmr app.js --web 99999"]
        {
            assert_eq!(joined(line), line);
        }
    }
}
