//! A line of a log, as `pmr logs` shows it. Pure.

use unicode_width::UnicodeWidthStr;

use super::colour::{Colours, Paint};
use super::human;
use super::table::harmless;
use crate::api::types::{LogStream, LogView};

/// Narrower columns of names would jump about when a longer name comes.
const LEAST_NAME: usize = 10;

/// How lines are to look.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Look {
    /// Nothing but the line.
    pub(in crate::cli) raw: bool,
    /// The form of the time before each line.
    pub(in crate::cli) timestamp: Option<String>,
    /// A word that is to be seen.
    pub(in crate::cli) highlight: Option<String>,
    pub(in crate::cli) colours: Colours,
}

/// `0|web        | listening on 3000`; `name_width` grows with the names that come by.
pub(in crate::cli) fn render(line: &LogView, look: &Look, name_width: &mut usize) -> String {
    let text = highlighted(&line.text, look);
    if look.raw {
        return text + "\n";
    }
    let name = match (&line.app, line.id) {
        (Some(app), Some(id)) => format!("{id}|{}", harmless(app)),
        (Some(app), None) => harmless(app),
        (None, _) => "pmr".to_owned(),
    };
    *name_width = name.width().max(*name_width).max(LEAST_NAME);
    let space = " ".repeat(*name_width - name.width());
    let paint = match line.stream {
        LogStream::Out => Paint::Green,
        LogStream::Err => Paint::Red,
        LogStream::Runtime => Paint::Cyan,
    };
    let time = look.timestamp.as_ref().map(|form| human::moment_in(line.at_ms, form) + " ");
    let time = look.colours.paint(Paint::Dim, &time.unwrap_or_default());
    format!("{time}{}{space} | {text}\n", look.colours.paint(paint, &name))
}

/// Without colours the word stands out between two marks.
fn highlighted(text: &str, look: &Look) -> String {
    let Some(word) = look.highlight.as_deref().filter(|word| !word.is_empty()) else {
        return text.to_owned();
    };
    let shown = match look.colours {
        Colours::On => look.colours.paint(Paint::Reverse, word),
        Colours::Off => format!(">>{word}<<"),
    };
    text.replace(word, &shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: LogStream) -> LogView {
        let ours = stream == LogStream::Runtime;
        LogView {
            at_ms: super::super::samples::NOW,
            app: (!ours).then(|| "web".to_owned()),
            id: (!ours).then_some(1),
            instance: (!ours).then_some(1),
            pid: None,
            stream,
            text: "listening on 3000".to_owned(),
        }
    }

    fn look() -> Look {
        Look { raw: false, timestamp: None, highlight: None, colours: Colours::Off }
    }

    fn shown(line: &LogView, look: &Look) -> String {
        render(line, look, &mut 0)
    }

    #[test]
    fn a_line_says_whose_it_is() {
        assert_eq!(shown(&line(LogStream::Out), &look()), "1|web      | listening on 3000\n");
        assert_eq!(shown(&line(LogStream::Runtime), &look()), "pmr        | listening on 3000\n");
        let raw = Look { raw: true, ..look() };
        assert_eq!(shown(&line(LogStream::Out), &raw), "listening on 3000\n");
    }

    #[test]
    fn a_longer_name_moves_the_column_for_good() {
        let mut width = 0;
        let long = LogView { app: Some("a-longer-name".to_owned()), ..line(LogStream::Out) };
        assert_eq!(render(&long, &look(), &mut width), "1|a-longer-name | listening on 3000\n");
        assert_eq!(
            render(&line(LogStream::Out), &look(), &mut width),
            "1|web           | listening on 3000\n"
        );
    }

    #[test]
    fn times_colours_and_a_word_that_stands_out() {
        let fancy =
            Look { timestamp: Some("HH:mm:ss".to_owned()), highlight: Some("3000".to_owned()), ..look() };
        assert_eq!(shown(&line(LogStream::Out), &fancy), "12:00:00 1|web      | listening on >>3000<<\n");
        let fancy = Look { colours: Colours::On, timestamp: None, ..fancy };
        let expected = "\x1b[31m1|web\x1b[0m      | listening on \x1b[7m3000\x1b[0m\n";
        assert_eq!(shown(&line(LogStream::Err), &fancy), expected);
    }
}
