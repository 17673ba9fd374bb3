//! `.env` files. A `$NAME` in them is replaced by what stands earlier in the file, or in our own environment.

/// A line that is none of such a file. It is not shown, as it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DotenvError {
    #[error("line {0} is not `NAME=value`")]
    Line(usize),
    #[error("a line is not `NAME=value`")]
    Somewhere,
}

/// Reads the text of such a file.
///
/// # Errors
/// Which line is wrong.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, DotenvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    dotenvy::from_read_iter(text.as_bytes()).map(|pair| pair.map_err(|error| wrong(text, &error))).collect()
}

fn wrong(text: &str, error: &dotenvy::Error) -> DotenvError {
    let dotenvy::Error::LineParse(found, _) = error else { return DotenvError::Somewhere };
    let first = found.lines().next().unwrap_or_default();
    let line = text.lines().position(|line| line == first);
    line.map_or(DotenvError::Somewhere, |at| DotenvError::Line(at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_are_read() {
        let text =
            "\u{feff}# a comment\nA=1\nexport B = 'two words' # why\nC=\"x\\ny\"\n\nD=${A}2\nE=\nF='$A'\n";
        let read = parse(text).unwrap();
        let pairs: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            pairs,
            [("A", "1"), ("B", "two words"), ("C", "x\ny"), ("D", "12"), ("E", ""), ("F", "$A")]
        );
    }

    #[test]
    fn a_wrong_line_is_named_and_not_shown() {
        let error = parse("A=1\nmy secret\nB=2\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2 is not `NAME=value`");
    }
}
