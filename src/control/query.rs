//! What stands in a request's line: percent-encoding, and the parameters after the question mark. Pure.

use crate::api::types::Problem;

/// A problem that the client is to blame for.
pub fn bad_request(message: impl Into<String>) -> Problem {
    problem("bad_request", message, None)
}

/// What is wrong, by its word for programs.
pub fn problem(code: &str, message: impl Into<String>, hint: Option<String>) -> Problem {
    Problem { code: code.to_owned(), message: message.into(), hint, details: Vec::new() }
}

/// Undoes percent-encoding. `None` where a `%` is not followed by two hexadecimal digits, or where the result is no UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The parameters of a request: each that it may have is taken, then nothing must be left.
#[derive(Debug)]
pub struct Query {
    parameters: Vec<(String, String)>,
    problems: Vec<String>,
    known: Vec<&'static str>,
}

impl Query {
    /// Reads what stands after the question mark.
    pub fn parse(text: Option<&str>) -> Self {
        let mut query = Self { parameters: Vec::new(), problems: Vec::new(), known: Vec::new() };
        for pair in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match decode(name).zip(decode(&value.replace('+', " "))) {
                Some(parameter) => query.parameters.push(parameter),
                None => query.problems.push(format!("`{pair}` is not percent-encoded UTF-8")),
            }
        }
        query
    }

    /// The value of a parameter; `None` where it is absent or empty.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let at = self.parameters.iter().position(|(found, _)| found == name)?;
        let (_, value) = self.parameters.remove(at);
        Some(value).filter(|value| !value.is_empty())
    }

    /// A yes or a no; the bare name means yes.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        let is_there = self.parameters.iter().any(|(found, _)| found == name);
        match self.text(name).as_deref() {
            None => is_there.then_some(true),
            Some("true" | "1" | "yes" | "on") => Some(true),
            Some("false" | "0" | "no" | "off") => Some(false),
            Some(other) => {
                self.problems.push(format!("`{name}`: found `{other}`, accepted: `true` or `false`"));
                None
            }
        }
    }

    /// A whole number up to `most`.
    pub fn number(&mut self, name: &'static str, most: usize) -> Option<usize> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number| *number <= most);
        if number.is_none() {
            self.problems.push(format!("`{name}`: found `{text}`, accepted: a whole number up to {most}"));
        }
        number
    }

    /// One of the words in `accepted`.
    pub fn word<T: Copy>(&mut self, name: &'static str, accepted: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = accepted.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<String> = accepted.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.problems.push(format!("`{name}`: found `{text}`, accepted: {}", words.join(", ")));
        }
        found
    }

    /// To be called at last: all that is wrong.
    ///
    /// # Errors
    /// When a value was not acceptable, or a parameter not known.
    pub fn finish(mut self) -> Result<(), Problem> {
        let known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let unknown =
            self.parameters.iter().map(|(name, _)| format!("`{name}` is not known here, accepted: {known}"));
        self.problems.extend(unknown);
        several(self.problems)
    }
}

/// All problems in one, if there are any.
pub fn several(problems: Vec<String>) -> Result<(), Problem> {
    let Some(first) = problems.first() else { return Ok(()) };
    let message = match problems.len() {
        1 => first.clone(),
        number => format!("{number} things are wrong with the request"),
    };
    Err(Problem { details: problems, ..bad_request(message) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percent_encoding_is_undone_and_what_is_none_refused() {
        assert_eq!(decode("%2Fapi%2f").as_deref(), Some("/api/"));
        assert_eq!(decode("caf%C3%A9+1").as_deref(), Some("café+1"));
        for wrong in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn parameters_are_read_by_name() {
        let mut query = Query::parse(Some("target=%2Fa%2F&lines=20&follow&stream=err&reveal=no&empty="));
        assert_eq!(query.text("target").as_deref(), Some("/a/"));
        assert_eq!(query.number("lines", 100), Some(20));
        assert_eq!(
            (query.flag("follow"), query.flag("reveal"), query.flag("absent")),
            (Some(true), Some(false), None)
        );
        assert_eq!(query.word("stream", &[("out", 1), ("err", 2)]), Some(2));
        assert_eq!(query.text("empty"), None);
        query.finish().unwrap();
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let mut query = Query::parse(Some("lines=many&follow=maybe&stream=x&tail=3&%=1"));
        query.number("lines", 100);
        query.flag("follow");
        query.word("stream", &[("out", ()), ("err", ())]);
        let problem = query.finish().unwrap_err();
        assert_eq!(problem.message, "5 things are wrong with the request");
        insta::assert_snapshot!(problem.details.join("\n"), @r#"
        `%=1` is not percent-encoded UTF-8
        `lines`: found `many`, accepted: a whole number up to 100
        `follow`: found `maybe`, accepted: `true` or `false`
        `stream`: found `x`, accepted: `out`, `err`
        `tail` is not known here, accepted: `lines`, `follow`, `stream`
        "#);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let mut query = Query::parse(Some(&text));
            query.flag("a");
            let _ = query.finish();
        }
    }
}
