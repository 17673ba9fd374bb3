//! A script as the shell would read it: simple words, or something that takes a shell.

/// A script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Script {
    /// One command without anything that a shell would do to it.
    Simple(Simple),
    Shell,
}

/// `NAME=value program words…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Simple {
    pub(super) assignments: Vec<(String, String)>,
    /// At least one.
    pub(super) words: Vec<String>,
}

/// What means something to a shell where it is not quoted (POSIX, Shell Command Language, 2.2).
const SPECIAL: &str = "|&;<>()$`\\*?[]#~!{}\n\r";
/// The same between double quotes; `!` is bash's.
const SPECIAL_IN_QUOTES: &str = "$`\\!";

/// Commands that only a shell has, or that it does in its own process, and reserved words.
const OF_THE_SHELL: [&str; 44] = [
    ".", ":", "alias", "bg", "break", "builtin", "case", "cd", "command", "continue", "declare", "do",
    "done", "echo", "else", "eval", "exit", "export", "fg", "for", "function", "getopts", "hash", "if",
    "jobs", "let", "local", "read", "readonly", "return", "set", "shift", "source", "then", "time", "times",
    "trap", "type", "ulimit", "umask", "unset", "until", "wait", "while",
];

impl Script {
    /// Reads a script.
    pub(super) fn read(text: &str) -> Self {
        words(text).and_then(|words| simple(&words)).map_or(Self::Shell, Self::Simple)
    }
}

/// A word, and whether its beginning up to the first `=` was written without quotes.
struct Word {
    text: String,
    assigns: bool,
}

/// The words of one simple command; `None` where it takes a shell.
pub(super) fn plain_words(text: &str) -> Option<Vec<String>> {
    Some(words(text)?.into_iter().map(|word| word.text).collect())
}

fn words(text: &str) -> Option<Vec<Word>> {
    let (mut all, mut current, mut chars) = (Vec::new(), None::<Word>, text.chars());
    while let Some(c) = chars.next() {
        if c == ' ' || c == '\t' {
            all.extend(current.take());
            continue;
        }
        let word = current.get_or_insert_with(|| Word { text: String::new(), assigns: true });
        match c {
            '\'' | '"' => {
                word.assigns &= word.text.contains('=');
                quoted(c, &mut chars, &mut word.text)?;
            }
            _ if SPECIAL.contains(c) => return None,
            _ => word.text.push(c),
        }
    }
    all.extend(current);
    Some(all)
}

fn quoted(quote: char, chars: &mut std::str::Chars<'_>, into: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            c if c == quote => return Some(()),
            c if quote == '"' && SPECIAL_IN_QUOTES.contains(c) => return None,
            c => into.push(c),
        }
    }
}

fn simple(words: &[Word]) -> Option<Simple> {
    let assigns = |word: &&Word| word.assigns && assignment(&word.text).is_some();
    let count = words.iter().take_while(assigns).count();
    let (first, rest) = words.split_at(count);
    let assignments = first.iter().filter_map(|word| assignment(&word.text)).collect();
    let words: Vec<String> = rest.iter().map(|word| word.text.clone()).collect();
    let program = words.first()?;
    (!program.is_empty() && !OF_THE_SHELL.contains(&program.as_str()))
        .then_some(Simple { assignments, words })
}

/// `NAME=value` taken apart.
pub(super) fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    is_name(name).then(|| (name.to_owned(), value.to_owned()))
}

/// Whether a shell takes it for the name of a variable.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The words as one would type them.
pub(super) fn render<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// One word as a shell takes it.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<(String, String)> {
        match Script::read(text) {
            Script::Simple(simple) => {
                let pairs = simple.assignments.iter().map(|(name, value)| format!("{name}={value}"));
                Some((pairs.collect::<Vec<_>>().join("|"), simple.words.join("|")))
            }
            Script::Shell => None,
        }
    }

    #[test]
    fn words_quotes_and_assignments_need_no_shell() {
        for (script, assignments, words) in [
            ("node server.js", "", "node|server.js"),
            ("  node\t-r 'a b' \"c d\"e '$x' ", "", "node|-r|a b|c de|$x"),
            ("A=1 _b='x y' C= node .", "A=1|_b=x y|C=", "node|."),
            ("node A=1", "", "node|A=1"),
            ("'A'=1 x", "", "A=1|x"),
            ("A='1'2 x ''", "A=12", "x|"),
            ("1A=2 x", "", "1A=2|x"),
        ] {
            let expected = Some((assignments.to_owned(), words.to_owned()));
            assert_eq!(read(script), expected, "{script}");
        }
    }

    #[test]
    fn what_means_more_takes_a_shell() {
        for script in [
            "a && b",
            "a | b",
            "a; b",
            "a &",
            "a > b",
            "a $B",
            "a \"$B\"",
            "a `b`",
            "a \\b",
            "a *.js",
            "a # b",
            "a ~/b",
            "(a)",
            "{ a; }",
            "a\nb",
            "a 'b",
            "a \"b",
            "cd x",
            "export A=1",
            "if a",
            "A=1",
            "",
            " ",
            "''",
            "! a",
            "a {b,c}",
            "a \"b!\"",
        ] {
            assert_eq!(read(script), None, "{script}");
        }
    }

    proptest! {
        #[test]
        fn rendered_words_are_read_as_they_were(words in proptest::collection::vec("[ -&(-~]{0,8}", 1..5)) {
            let text = render(words.iter().map(String::as_str));
            prop_assert_eq!(plain_words(&text), Some(words));
        }

        #[test]
        fn no_script_makes_it_panic(text in any::<String>(), pieces in "(a|=|'|\"| |\\\\|\\$|A=1 ){0,16}") {
            let _ = (Script::read(&text), Script::read(&pieces));
        }
    }
}
