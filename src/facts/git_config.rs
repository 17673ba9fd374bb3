//! git's configuration, as far as it names remotes. Pure. The syntax is that of git-config(1), "Configuration file".

use std::iter::Peekable;
use std::str::Chars;

/// One `key = value`, below its section.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    section: String,
    subsection: String,
    key: String,
    value: String,
}

/// The address of the remote that `branch` follows, else that of `origin`, else the first there is.
pub fn remote(content: &[u8], branch: Option<&str>) -> Option<String> {
    let entries = parse(&String::from_utf8_lossy(content));
    let find = |section: &str, subsection: &str, key: &str| {
        let same =
            |entry: &&Entry| entry.section == section && entry.subsection == subsection && entry.key == key;
        entries.iter().find(same).map(|entry| entry.value.clone())
    };
    let url = |name: &str| find("remote", name, "url");
    let followed = branch.and_then(|branch| find("branch", branch, "remote"));
    let first = || entries.iter().find(|entry| entry.section == "remote" && entry.key == "url");
    followed
        .and_then(|name| url(&name))
        .or_else(|| url("origin"))
        .or_else(|| first().map(|entry| entry.value.clone()))
}

/// Sections and keys in small letters, since case means nothing in them. What makes no sense is passed over.
fn parse(text: &str) -> Vec<Entry> {
    let mut rest = text.chars().peekable();
    let (mut section, mut subsection) = (String::new(), String::new());
    let mut entries = Vec::new();
    while let Some(&next) = rest.peek() {
        match next {
            '[' => (section, subsection) = header(&mut rest),
            '#' | ';' => skip_line(&mut rest),
            c if c.is_alphabetic() => {
                let (key, value) = variable(&mut rest);
                entries.push(Entry { section: section.clone(), subsection: subsection.clone(), key, value });
            }
            _ => drop(rest.next()),
        }
    }
    entries
}

fn skip_line(rest: &mut Peekable<Chars<'_>>) {
    rest.find(|&c| c == '\n');
}

/// `[section]` or `[section "subsection"]`.
fn header(rest: &mut Peekable<Chars<'_>>) -> (String, String) {
    let (mut section, mut subsection) = (String::new(), String::new());
    let mut quoted = false;
    rest.next();
    while let Some(c) = rest.next_if(|&c| c != '\n') {
        match c {
            '"' => quoted = !quoted,
            // Within quotes a backslash stands for the character after it.
            '\\' if quoted => subsection.extend(rest.next_if(|&c| c != '\n')),
            c if quoted => subsection.push(c),
            ']' => break,
            c if c.is_whitespace() => {}
            c => section.extend(c.to_lowercase()),
        }
    }
    (section, subsection)
}

/// `key = value`, or `key` alone, up to the end of the line.
fn variable(rest: &mut Peekable<Chars<'_>>) -> (String, String) {
    let mut key = String::new();
    while let Some(c) = rest.next_if(|&c| c.is_alphanumeric() || c == '-') {
        key.extend(c.to_lowercase());
    }
    while rest.next_if(|&c| c == ' ' || c == '\t').is_some() {}
    if rest.next_if_eq(&'=').is_none() {
        skip_line(rest);
        return (key, String::new());
    }
    (key, value(rest))
}

fn value(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut value = String::new();
    let (mut quoted, mut spaces) = (false, 0);
    while let Some(c) = rest.next() {
        let kept = match c {
            '\n' => break,
            '"' => {
                quoted = !quoted;
                continue;
            }
            '#' | ';' if !quoted => {
                skip_line(rest);
                break;
            }
            '\\' => match rest.next() {
                // The value goes on in the next line.
                Some('\n') | None => continue,
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other) => other,
            },
            c => c,
        };
        // Spaces at the end, outside quotes, do not belong to the value.
        spaces = if kept.is_whitespace() && !quoted { spaces + kept.len_utf8() } else { 0 };
        value.push(kept);
    }
    value.truncate(value.len() - spaces);
    value.trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONFIG: &[u8] = br#"
[core]
	bare = false
	ignorecase
[remote "up.stream"] ; a comment
	fetch = +refs/heads/*:refs/remotes/up/*
	URL = https://example.org/up.git # another
[Remote "origin"]
	url = "https://example.org/#o;.git"
[branch "main"] remote = origin
[branch "a/\"b\""]
	remote = up\
.stream
[branch "local"]
	remote = .
"#;

    #[test]
    fn the_remote_that_the_branch_follows_comes_first() {
        let remote = |branch| remote(CONFIG, branch);
        assert_eq!(remote(Some("a/\"b\"")).as_deref(), Some("https://example.org/up.git"));
        for branch in [Some("main"), Some("local"), Some("other"), None] {
            assert_eq!(remote(branch).as_deref(), Some("https://example.org/#o;.git"), "{branch:?}");
        }
    }

    #[test]
    fn without_origin_any_will_do() {
        assert_eq!(remote(b"[remote \"x\"]\nurl = a b \t", None).as_deref(), Some("a b"));
        assert_eq!(remote(b"[remote]\nfetch = x\n[core]\nurl = y", None), None);
    }

    #[test]
    fn what_was_cut_off_does_no_harm() {
        for length in 0..CONFIG.len() {
            let _ = remote(&CONFIG[..length], Some("main"));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(content: Vec<u8>) {
            let _ = remote(&content, None);
        }

        #[test]
        fn no_pieces_of_configuration_make_it_panic(
            content in "(\\[|\\]|remote|branch|url|=| |\t|\n|\"|\\\\|#|;|\u{2003}|x){0,40}"
        ) {
            let _ = remote(content.as_bytes(), Some("x"));
        }
    }
}
