//! The lines of the app that is followed, and which of them are shown.
//!
//! The shown part is fixed by its last line, the anchor; without one it follows the newest line. So it stays where it is
//! while lines come, are filtered, or fall out at the other end.

use std::collections::VecDeque;
use std::ops::Range;

use super::clean::clean;
use crate::api::types::{LogStream, LogView};

/// How many lines are kept.
const LINES: usize = 1000;

/// A line, made harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    seq: u64,
    pub at_ms: Option<u64>,
    /// The instance's number in the runtime; `None` for what the runtime says.
    pub id: Option<u32>,
    pub instance: Option<u32>,
    pub stream: LogStream,
    pub text: String,
}

/// Whose lines are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those of the selected instance.
    #[default]
    Instance,
    /// Those of all instances of its app.
    App,
}

/// What long lines do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wrap {
    /// They end at the edge.
    #[default]
    Cut,
    /// They go on in the next row.
    Fold,
}

/// Which streams are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Streams {
    #[default]
    Both,
    /// Standard error alone.
    Err,
}

/// Where to look for a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Towards {
    Older,
    Newer,
}

/// The lines and how they are looked at.
#[derive(Debug, Default)]
pub struct Log {
    /// The app that is followed.
    pub target: Option<String>,
    pub scope: Scope,
    pub wrap: Wrap,
    pub streams: Streams,
    /// What is looked for, or empty.
    pub search: String,
    /// The selected instance.
    selected: Option<u32>,
    lines: VecDeque<Line>,
    next_seq: u64,
    anchor: Option<u64>,
    /// The stream was broken off, so the next lines begin with some that are here already.
    stale: bool,
}

impl Log {
    /// The lines that are shown, up to the anchor, oldest first.
    #[must_use]
    pub fn shown(&self) -> Vec<&Line> {
        let chosen = self.chosen();
        let end = self.end(&chosen);
        chosen[..end].to_vec()
    }

    /// How many lines have come after those that are shown.
    #[must_use]
    pub fn below(&self) -> usize {
        let chosen = self.chosen();
        chosen.len() - self.end(&chosen)
    }

    /// Whether it stays where it is although lines come.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.anchor.is_some()
    }

    /// Begins anew with another app.
    pub(super) fn follow(&mut self, target: Option<String>) {
        self.target = target;
        self.lines.clear();
        self.anchor = None;
        self.stale = false;
    }

    /// The stream will be asked for again, from its last lines on.
    pub(super) fn interrupt(&mut self) {
        self.stale = true;
    }

    /// The instance whose lines are shown from now on.
    pub(super) fn select(&mut self, instance: Option<u32>) {
        self.selected = instance;
    }

    pub(super) fn add(&mut self, lines: Vec<LogView>) {
        if std::mem::take(&mut self.stale) {
            self.lines.clear();
        }
        for line in lines {
            self.push(Line {
                seq: 0,
                at_ms: Some(line.at_ms),
                id: line.id,
                instance: line.instance,
                stream: line.stream,
                text: clean(&line.text),
            });
        }
    }

    /// A word of ours between the lines.
    pub(super) fn note(&mut self, text: &str) {
        let (stream, text) = (LogStream::Runtime, clean(text));
        self.push(Line { seq: 0, at_ms: None, id: None, instance: None, stream, text });
    }

    fn push(&mut self, mut line: Line) {
        line.seq = self.next_seq;
        self.next_seq += 1;
        if self.lines.len() >= LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Stays at what is shown, or follows again.
    pub(super) fn toggle_pause(&mut self) {
        self.anchor = match self.anchor {
            Some(_) => None,
            None => self.chosen().last().map(|line| line.seq),
        };
    }

    /// Moves by so many lines; past the newest, it follows again.
    pub(super) fn scroll(&mut self, by: isize) {
        let chosen = self.chosen();
        let Some(last) = chosen.len().checked_sub(1) else { return };
        let place = self.end(&chosen).saturating_sub(1);
        let wanted = place.saturating_add_signed(by);
        self.anchor = (wanted < last).then(|| chosen[wanted].seq);
    }

    pub(super) fn scroll_to_oldest(&mut self) {
        self.scroll(isize::MIN);
    }

    pub(super) fn scroll_to_newest(&mut self) {
        self.anchor = None;
    }

    /// Goes to a line with what is searched for. `false` when there is none in that direction.
    pub(super) fn find(&mut self, towards: Towards) -> bool {
        let chosen = self.chosen();
        let place = self.end(&chosen).saturating_sub(1);
        let matches = |place: &usize| !matches_in(&chosen[*place].text, &self.search).is_empty();
        let found = match towards {
            Towards::Older => (0..place.min(chosen.len())).rev().find(matches),
            Towards::Newer => (place + 1..chosen.len()).find(matches),
        };
        let anchor = found.map(|place| chosen[place].seq);
        self.anchor = anchor.or(self.anchor);
        anchor.is_some()
    }

    /// Goes to the newest line with `text` that is not below what is shown.
    pub(super) fn search_for(&mut self, text: String) -> bool {
        self.search = text;
        let here = self.shown().last().is_some_and(|line| !matches_in(&line.text, &self.search).is_empty());
        here || self.find(Towards::Older)
    }

    fn chosen(&self) -> Vec<&Line> {
        self.lines.iter().filter(|line| self.is_chosen(line)).collect()
    }

    fn is_chosen(&self, line: &Line) -> bool {
        let ours = line.stream == LogStream::Runtime;
        let stream = self.streams == Streams::Both || line.stream == LogStream::Err;
        let instance = self.scope == Scope::App || self.selected.is_none() || line.id == self.selected;
        stream && (instance || ours && line.id.is_none())
    }

    /// Where the shown part ends. A line that fell out, or that is not chosen any more, gives way to its neighbour.
    fn end(&self, chosen: &[&Line]) -> usize {
        let Some(anchor) = self.anchor else { return chosen.len() };
        chosen.partition_point(|line| line.seq <= anchor).max(1).min(chosen.len())
    }
}

/// Where `needle` is in `text`, in bytes. Case counts only when `needle` has an upper-case letter.
#[must_use]
pub fn matches_in(text: &str, needle: &str) -> Vec<Range<usize>> {
    let exact = needle.chars().any(char::is_uppercase);
    let same = |a: char, b: char| a == b || !exact && a.to_lowercase().eq(b.to_lowercase());
    let mut found = Vec::new();
    let mut after = 0;
    for (start, _) in text.char_indices() {
        if needle.is_empty() || start < after {
            continue;
        }
        let mut rest = text[start..].chars();
        if needle.chars().all(|wanted| rest.next().is_some_and(|c| same(c, wanted))) {
            after = text.len() - rest.as_str().len();
            found.push(start..after);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::world::{error_line, line};
    use super::*;

    fn log(count: u64) -> Log {
        let mut log = Log::default();
        log.add((0..count).map(|n| line(1, &n.to_string())).collect());
        log
    }

    fn last(log: &Log) -> &str {
        log.shown().last().map_or("", |line| &line.text)
    }

    #[test]
    fn the_oldest_lines_fall_out() {
        let log = log(1500);
        let shown = log.shown();
        assert_eq!((shown.len(), shown[0].text.as_str(), last(&log)), (LINES, "500", "1499"));
    }

    #[test]
    fn a_paused_log_stays_where_it_is_until_it_follows_again() {
        let mut log = log(10);
        log.toggle_pause();
        log.add(vec![line(1, "new")]);
        assert_eq!((last(&log), log.below()), ("9", 1));
        log.toggle_pause();
        assert_eq!((last(&log), log.below()), ("new", 0));
    }

    #[test]
    fn scrolling_stops_at_the_oldest_and_follows_from_the_newest_on() {
        let mut log = log(10);
        log.scroll(-3);
        assert_eq!(last(&log), "6");
        log.scroll_to_oldest();
        assert_eq!((last(&log), log.below()), ("0", 9));
        log.scroll(100);
        assert!(!log.is_paused());
        log.scroll(-1);
        log.scroll_to_newest();
        assert_eq!(last(&log), "9");
    }

    #[test]
    fn the_line_that_is_looked_at_may_fall_out() {
        let mut log = log(10);
        log.scroll_to_oldest();
        log.add((0..LINES).map(|n| line(1, &format!("n{n}"))).collect());
        assert_eq!(last(&log), "n0");
    }

    #[test]
    fn only_the_selected_instance_is_shown_or_all_and_only_errors_or_both() {
        let mut log = Log::default();
        log.add(vec![line(1, "a"), line(2, "b"), error_line(1, "c"), error_line(2, "d")]);
        log.note("ours");
        log.select(Some(1));
        let shown = |log: &Log| log.shown().iter().map(|line| line.text.clone()).collect::<Vec<_>>().concat();
        assert_eq!(shown(&log), "acours");
        log.streams = Streams::Err;
        assert_eq!(shown(&log), "c");
        log.scope = Scope::App;
        assert_eq!(shown(&log), "cd");
    }

    #[test]
    fn a_search_goes_to_older_matches_and_back() {
        let mut log = Log::default();
        log.add(["error 1", "fine", "ERROR 2", "fine"].map(|text| line(1, text)).into());
        assert!(log.search_for("error".into()));
        assert_eq!(last(&log), "ERROR 2");
        assert!(log.find(Towards::Older));
        assert_eq!(last(&log), "error 1");
        assert!(!log.find(Towards::Older));
        assert!(log.find(Towards::Newer));
        assert_eq!(last(&log), "ERROR 2");
        assert!(!log.find(Towards::Newer) && !log.search_for("absent".into()));
        assert_eq!(last(&log), "ERROR 2");
    }

    #[test]
    fn an_interrupted_stream_does_not_show_its_lines_twice() {
        let mut log = log(3);
        log.interrupt();
        assert_eq!(log.shown().len(), 3);
        log.add(vec![line(1, "2"), line(1, "3")]);
        assert_eq!(log.shown().len(), 2);
    }

    #[test]
    fn matches_are_found_in_any_case_unless_the_needle_has_upper_case() {
        let found = |text: &str, needle: &str| -> Vec<(usize, usize)> {
            matches_in(text, needle).into_iter().map(|range| (range.start, range.end)).collect()
        };
        assert_eq!(found("aAbaa", "a"), [(0, 1), (1, 2), (3, 4), (4, 5)]);
        assert_eq!(found("aAb", "A"), [(1, 2)]);
        assert_eq!(found("GRÜN grün", "grün"), [(0, 5), (6, 11)]);
        assert_eq!(found("aaa", "aa"), [(0, 2)]);
        assert!(matches_in("abc", "").is_empty());
    }
}
