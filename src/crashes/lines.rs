//! The last lines of a worker, as many as a record keeps, and what they say in one.

use super::text::without_escapes;
use crate::api::types::{LogStream, LogView};

/// How many lines are kept.
const LINES: usize = 20;
/// How many bytes of text they have together.
const BYTES: usize = 4096;
/// How many characters of a line are shown where there is room for one line.
const SUMMARY: usize = 300;

/// The end of `lines`, oldest first. What does not fit is cut at its beginning.
#[must_use]
pub fn last(lines: Vec<LogView>) -> Vec<LogView> {
    let mut room = BYTES;
    let mut kept: Vec<LogView> =
        lines.into_iter().rev().take(LINES).map_while(|line| fit(line, &mut room)).collect();
    kept.reverse();
    kept
}

fn fit(mut line: LogView, room: &mut usize) -> Option<LogView> {
    if *room == 0 {
        return None;
    }
    if line.text.len() > *room {
        let mut from = line.text.len() - *room;
        while !line.text.is_char_boundary(from) {
            from += 1;
        }
        line.text = format!("…{}", &line.text[from..]);
        *room = 0;
    } else {
        // Many empty lines are worth something, too.
        *room = room.saturating_sub(line.text.len().max(1));
    }
    Some(line)
}

/// In one line, without what a terminal would obey.
#[must_use]
pub fn shown(text: &str) -> String {
    let line: String = without_escapes(text).chars().take(SUMMARY).collect();
    line.trim().to_owned()
}

/// The last line of standard error that says something: Node's farewell, its version, does not.
#[must_use]
pub fn last_error(lines: &[LogView]) -> Option<&str> {
    let errors = lines.iter().rev().filter(|line| line.stream == LogStream::Err).map(|line| line.text.trim());
    errors.filter(|text| !text.is_empty()).find(|text| !text.starts_with("Node.js v"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: LogStream, text: &str) -> LogView {
        let (app, id, instance, pid) = (None, None, None, None);
        LogView { at_ms: 0, app, id, instance, pid, stream, text: text.to_owned() }
    }

    fn out(text: &str) -> LogView {
        line(LogStream::Out, text)
    }

    #[test]
    fn the_last_twenty_lines_are_kept_in_their_order() {
        let lines = last((0..30).map(|number| out(&number.to_string())).collect());
        assert_eq!((lines.len(), lines[0].text.as_str(), lines[19].text.as_str()), (LINES, "10", "29"));
    }

    #[test]
    fn what_is_too_long_keeps_its_end() {
        let lines = last(vec![out("gone"), out(&("é".repeat(4000) + "end")), out("last")]);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].text.starts_with("…é") && lines[0].text.ends_with("end"));
        assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() <= BYTES + "…".len());
    }

    #[test]
    fn a_summary_is_one_line_that_no_terminal_obeys() {
        assert_eq!(shown("\u{1b}[31mno\u{1b}[0m\tway\n"), "no way");
        assert_eq!(shown(&"é".repeat(999)).chars().count(), SUMMARY);
    }

    #[test]
    fn the_last_error_is_not_nodes_farewell() {
        let lines = [
            line(LogStream::Err, "  Error: x "),
            line(LogStream::Err, ""),
            line(LogStream::Err, "Node.js v20.1.0"),
            out("bye"),
        ];
        assert_eq!(last_error(&lines), Some("Error: x"));
        assert_eq!(last_error(&[out("bye")]), None);
    }
}
