//! Patterns in the words of .gitignore: which paths are passed over.
//!
//! Pure. The last rule that matches decides; `!` takes a path in again. A pattern with a slash before its end is seen from the
//! directory of its file, any other one holds for a name at every depth. What is no pattern matches nothing.

use regex_lite::Regex;

/// The rules of one file or list, in order.
#[derive(Debug, Default)]
pub struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    matcher: Regex,
    verdict: Verdict,
    only_directories: bool,
}

/// What a rule says of a path that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Ignored,
    Wanted,
}

/// What there is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
}

impl Rules {
    /// Reads lines.
    #[must_use]
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        Self(lines.into_iter().filter_map(Rule::parse).collect())
    }

    /// Reads what a person has written besides, where braces stand for several: `*.{log,tmp}`.
    #[must_use]
    pub fn of_person<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let patterns = patterns.into_iter().flat_map(|pattern| expand(pattern, MOST_BRACES));
        Self(patterns.filter_map(|pattern| Rule::parse(&pattern)).collect())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they say of a path, which is seen from their directory; `None` where none of them matches.
    #[must_use]
    pub fn judge(&self, path: &str, kind: Kind) -> Option<Verdict> {
        let fits =
            |rule: &&Rule| (kind == Kind::Directory || !rule.only_directories) && rule.matcher.is_match(path);
        self.0.iter().rev().find(fits).map(|rule| rule.verdict)
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Self> {
        let line = without_trailing_blanks(line.trim_end_matches(['\r', '\n']));
        if line.starts_with('#') {
            return None;
        }
        let (line, verdict) = match line.strip_prefix('!') {
            Some(rest) => (rest, Verdict::Wanted),
            None => (line, Verdict::Ignored),
        };
        let (line, only_directories) = match line.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (line, false),
        };
        let (pattern, is_anchored) = match line.strip_prefix('/') {
            Some(rest) => (rest, true),
            None => (line.strip_prefix("./").unwrap_or(line), line.contains('/')),
        };
        if pattern.is_empty() {
            return None;
        }
        let depth = if is_anchored { "" } else { "(?:.*/)?" };
        let matcher = Regex::new(&format!("(?s)^{depth}{}$", expression(pattern))).ok()?;
        Some(Self { matcher, verdict, only_directories })
    }
}

/// Blanks at the end do not count, unless a backslash stands before them.
fn without_trailing_blanks(line: &str) -> &str {
    let trimmed = line.trim_end_matches(' ');
    let is_quoted = trimmed.ends_with('\\') && trimmed.len() < line.len();
    if is_quoted { &line[..=trimmed.len()] } else { trimmed }
}

/// So many braces in a pattern have a meaning.
const MOST_BRACES: u32 = 4;

/// What a pattern with braces stands for: `a{b,c}` for `ab` and `ac`.
fn expand(pattern: &str, braces: u32) -> Vec<String> {
    let found = pattern.split_once('{').and_then(|(before, rest)| {
        let (inner, after) = rest.split_once('}')?;
        (inner.contains(',') && !inner.contains('{') && braces > 0).then_some((before, inner, after))
    });
    let Some((before, inner, after)) = found else { return vec![pattern.to_owned()] };
    let ends = expand(after, braces - 1);
    let each = |middle: &str| ends.iter().map(|end| format!("{before}{middle}{end}")).collect::<Vec<_>>();
    inner.split(',').flat_map(each).collect()
}

/// The pattern as a regular expression.
fn expression(pattern: &str) -> String {
    let (mut out, mut rest, mut begins) = (String::new(), pattern, true);
    while let Some(letter) = rest.chars().next() {
        let (piece, length) = if begins && rest.starts_with("**/") {
            ("(?:.*/)?".to_owned(), 3)
        } else if begins && rest == "**" {
            (".+".to_owned(), 2)
        } else {
            match letter {
                '*' => ("[^/]*".to_owned(), rest.len() - rest.trim_start_matches('*').len()),
                '?' => ("[^/]".to_owned(), 1),
                '[' => class(rest).unwrap_or_else(|| (r"\[".to_owned(), 1)),
                '\\' => quoted(rest),
                other => (regex_lite::escape(other.encode_utf8(&mut [0; 4])), other.len_utf8()),
            }
        };
        begins = rest[..length].ends_with('/');
        out.push_str(&piece);
        rest = &rest[length..];
    }
    out
}

/// What a backslash takes the meaning from.
fn quoted(rest: &str) -> (String, usize) {
    match rest[1..].chars().next() {
        Some(letter) => (regex_lite::escape(letter.encode_utf8(&mut [0; 4])), 1 + letter.len_utf8()),
        None => (r"\\".to_owned(), 1),
    }
}

/// `[a-z]`, `[!a]` or `[]a]`, which never match a slash.
fn class(rest: &str) -> Option<(String, usize)> {
    let inner = &rest[1..];
    let negated = inner.starts_with(['!', '^']);
    let start = 1 + usize::from(negated);
    let first = usize::from(rest[start..].starts_with(']'));
    let end = start + first + rest[start + first..].find(']')?;
    let mut out = String::from(if negated { "[^/" } else { "[" });
    for letter in rest[start..end].chars() {
        match letter {
            '-' => out.push('-'),
            '/' => return None,
            other if other.is_alphanumeric() => out.push(other),
            other => out.extend(['\\', other]),
        }
    }
    out.push(']');
    Some((out, end + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, ignored: &[&str], passed: &[&str]) {
        let rules = Rules::parse([pattern]);
        let is_ignored = |path: &&&str| rules.judge(path, Kind::File) == Some(Verdict::Ignored);
        assert_eq!(
            ignored.iter().filter(|path| !is_ignored(path)).collect::<Vec<_>>(),
            [&""; 0],
            "{pattern}"
        );
        assert_eq!(passed.iter().filter(is_ignored).collect::<Vec<_>>(), [&""; 0], "{pattern}");
    }

    #[test]
    fn a_pattern_means_what_it_means_to_git() {
        check("node_modules", &["node_modules", "a/node_modules"], &["node_modules2", "node_modules/x"]);
        check("*.log", &["x.log", "a/b/.log"], &["x.logs", "x.log/y"]);
        check("/build", &["build"], &["a/build"]);
        check("public/uploads", &["public/uploads"], &["a/public/uploads"]);
        check("./tmp", &["tmp"], &["a/tmp"]);
        check("**/cache", &["cache", "a/b/cache"], &["a/cached"]);
        check("logs/**", &["logs/a", "logs/a/b"], &["logs", "a/logs/b"]);
        check("a/**/b", &["a/b", "a/x/y/b"], &["ab", "a/xb"]);
        check("**/a/**/b", &["a/b", "x/a/y/b"], &["x/ab"]);
        check("f?o", &["foo", "a/fxo"], &["fo", "f/o"]);
        check("[a-c]x[!0-9]", &["axz", "cx_"], &["dxz", "ax1", "ax/"]);
        check("a[]]b", &["a]b"], &["a[b"]);
        check(r"\#x", &["#x"], &["x"]);
        check(r"\!x", &["!x"], &["x"]);
        check("a.b", &["a.b"], &["axb"]);
        check("a  ", &["a"], &["a  "]);
        check(r"a\ ", &["a "], &["a"]);
        check("a[b", &["a[b"], &["ab"]);
        check("ä*", &["äö"], &["a"]);
    }

    #[test]
    fn braces_stand_for_several_where_a_person_writes_them() {
        let rules = Rules::of_person(["*.{log,tmp}", "a{b"]);
        assert_eq!(rules.judge("x/y.tmp", Kind::File), Some(Verdict::Ignored));
        assert_eq!(rules.judge("a{b", Kind::File), Some(Verdict::Ignored));
        assert_eq!(expand("{a,b}c{d,e}", 4), ["acd", "ace", "bcd", "bce"]);
        assert_eq!(Rules::parse(["*.{log,tmp}"]).judge("y.tmp", Kind::File), None);
    }

    #[test]
    fn comments_and_blank_lines_are_none() {
        assert!(Rules::parse(["# x", "", "  ", "/", "!", "\r"]).is_empty());
    }

    #[test]
    fn a_slash_at_the_end_means_directories() {
        let rules = Rules::parse(["dist/"]);
        assert_eq!(rules.judge("a/dist", Kind::Directory), Some(Verdict::Ignored));
        assert_eq!(rules.judge("dist", Kind::File), None);
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let rules = Rules::parse(["*.js", "!keep.js", "/keep.js"]);
        assert_eq!(rules.judge("a/keep.js", Kind::File), Some(Verdict::Wanted));
        assert_eq!(rules.judge("keep.js", Kind::File), Some(Verdict::Ignored));
        assert_eq!(rules.judge("a.ts", Kind::File), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: String, path: String, wild in r"[*?\[\]!\\/a.-]{0,12}") {
            let rules = Rules::of_person([&*line, &*wild]);
            let _judged = (rules.judge(&path, Kind::File), rules.judge(&wild, Kind::Directory));
        }
    }
}
