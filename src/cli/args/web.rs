//! `--web [[ADDRESS:]PORT]`, whose value may stand in the next word as with pm2, or be absent.

use std::ffi::OsString;
use std::net::SocketAddr;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub(super) struct Web {
    /// pm2's port of an HTTP interface
    #[arg(long, hide = true, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    web: Option<OsString>,
}

impl Web {
    /// What people should know of it.
    pub(super) fn remark(&self) -> Option<String> {
        let remark = "`--web` has no effect: there is no web page; `pmr monit`, and the routes of the control socket, show \
                      what happens";
        self.web.is_some().then(|| remark.to_owned())
    }
}

/// Makes one word of `--web` and the word at `at`, if that is its value. Says whether it was.
pub(super) fn join(argv: &mut Vec<OsString>, at: usize) -> bool {
    let is_its_value = at > 1 && argv[at - 1] == "--web" && argv.get(at).is_some_and(is_address);
    if is_its_value {
        let value = argv.remove(at);
        argv[at - 1].push("=");
        argv[at - 1].push(value);
    }
    is_its_value
}

/// The same wherever it stands, from `first` to `--`.
pub(super) fn join_all(argv: &mut Vec<OsString>, first: usize) {
    let mut at = first + 1;
    while at < argv.len() && argv[at - 1] != "--" {
        if !join(argv, at) {
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
    fn only_a_port_or_an_address_is_its_value() {
        let joined = |line: &str| {
            let mut words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            join_all(&mut words, 1);
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
