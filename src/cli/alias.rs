//! Our other name, for who can start a file only by its own: `pmr-runtime --as-pmr VERB ...` becomes `pmr VERB ...`.
//!
//! npm's packages hold no links, and a shell cannot give a program another name; see npm/pmr-runtime/bin.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The first word by which we take the name `pmr`.
const AS_PMR: &str = "--as-pmr";

/// Starts anew as `pmr` if that is asked for. Returns only where it is not, or with why it cannot be.
pub(super) fn become_pmr() -> Option<io::Error> {
    let words = words_of_pmr(std::env::args_os())?;
    Some(Command::new("/proc/self/exe").arg0("pmr").args(words).exec())
}

/// What follows the word, if it is the first.
fn words_of_pmr(argv: impl IntoIterator<Item = OsString>) -> Option<Vec<OsString>> {
    let mut words = argv.into_iter().skip(1);
    (words.next()? == AS_PMR).then(|| words.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Option<Vec<OsString>> {
        words_of_pmr(words.iter().map(OsString::from))
    }

    #[test]
    fn only_as_the_first_word_it_means_us() {
        assert_eq!(
            of(&["pmr-runtime", "--as-pmr", "list", "--json"]),
            Some(vec!["list".into(), "--json".into()])
        );
        assert_eq!(of(&["pmr-runtime", "--as-pmr"]), Some(vec![]));
        assert_eq!(of(&["pmr-runtime", "node", "--as-pmr"]), None);
        assert_eq!(of(&["pmr-runtime"]), None);
        assert_eq!(of(&[]), None);
    }
}
