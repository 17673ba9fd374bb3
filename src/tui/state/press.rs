//! What each key does. `view/help.rs` and docs/monit.md tell people.

use super::input::{Change, Effect};
use super::key::Key;
use super::log::{Scope, Streams, Towards, Wrap};
use super::model::{Focus, MessageKind, Mode, Page, State};
use crate::api::types::{AppView, Operation};

/// Nobody searches for more.
const LONGEST_TEXT: usize = 200;

impl State {
    pub(super) fn press(&mut self, key: Key) -> Vec<Effect> {
        match key {
            Key::Ctrl('c') => return vec![Effect::Quit],
            Key::Ctrl('z') => return vec![Effect::Suspend],
            _ => {}
        }
        match std::mem::replace(&mut self.mode, Mode::Normal) {
            Mode::Normal if self.page != Page::Main => self.press_on_page(key),
            Mode::Normal => self.press_on_main(key),
            Mode::Filter { before } => self.edit_filter(before, key),
            Mode::Search { text } => self.edit_search(text, key),
            Mode::Confirm(change) => self.answer(change, key),
        }
    }

    /// Details and help can be read, moved and left; what changes apps works on the main page only, where it is seen.
    fn press_on_page(&mut self, key: Key) -> Vec<Effect> {
        let page = usize::from(self.size.rows.saturating_sub(4)).max(1);
        let at = self.page_scroll;
        match key {
            Key::Up | Key::Char('k') => self.page_scroll = at.saturating_sub(1),
            Key::Down | Key::Char('j') => self.page_scroll = at.saturating_add(1),
            Key::PageUp => self.page_scroll = at.saturating_sub(page),
            Key::PageDown | Key::Char(' ') => self.page_scroll = at.saturating_add(page),
            Key::Home | Key::Char('g') => self.page_scroll = 0,
            Key::Char('d') if self.page != Page::Details => self.turn_to(Page::Details),
            Key::Char('?' | 'h') if self.page != Page::Help => self.turn_to(Page::Help),
            Key::Esc | Key::Enter | Key::Char('d' | '?' | 'h') => self.turn_to(Page::Main),
            Key::Char('q') => return vec![Effect::Quit],
            _ => {}
        }
        Vec::new()
    }

    fn turn_to(&mut self, page: Page) {
        self.page = page;
        self.page_scroll = 0;
    }

    fn press_on_main(&mut self, key: Key) -> Vec<Effect> {
        match key {
            Key::Char('q') => return vec![Effect::Quit],
            Key::Esc => return self.step_back(),
            Key::Tab | Key::BackTab => self.focus = other(self.focus),
            Key::Char('f') => self.mode = Mode::Filter { before: self.list.filter.clone() },
            Key::Char('/') => self.mode = Mode::Search { text: String::new() },
            Key::Char('d') | Key::Enter => self.turn_to(Page::Details),
            Key::Char('?' | 'h') => self.turn_to(Page::Help),
            Key::Char('s') => self.sort(super::list::List::next_column),
            Key::Char('S') => self.sort(super::list::List::reverse),
            Key::Char(c @ ('r' | 'R' | 'x' | 'u' | '+' | '=' | '-')) => return self.operate(c),
            Key::Char(c @ ('p' | 'w' | 'e' | 'a' | 'n' | 'N')) => self.look_at_log(c),
            key => self.go(key),
        }
        Vec::new()
    }

    /// Undoes what is looked at in a special way, last things first; with nothing left, it is the way out.
    fn step_back(&mut self) -> Vec<Effect> {
        if !self.log.search.is_empty() {
            self.log.search.clear();
        } else if self.log.is_paused() {
            self.log.scroll_to_newest();
        } else if !self.list.filter.is_empty() {
            self.list.filter.clear();
            self.list.settle(&self.apps);
        } else {
            return vec![Effect::Quit];
        }
        Vec::new()
    }

    fn sort(&mut self, change: fn(&mut super::list::List)) {
        change(&mut self.list);
        self.list.settle(&self.apps);
    }

    fn look_at_log(&mut self, key: char) {
        let log = &mut self.log;
        match key {
            'p' => log.toggle_pause(),
            'w' => log.wrap = if log.wrap == Wrap::Cut { Wrap::Fold } else { Wrap::Cut },
            'e' => log.streams = if log.streams == Streams::Both { Streams::Err } else { Streams::Both },
            'a' => log.scope = if log.scope == Scope::Instance { Scope::App } else { Scope::Instance },
            'n' => self.find(Towards::Older),
            _ => self.find(Towards::Newer),
        }
    }

    fn find(&mut self, towards: Towards) {
        if self.log.search.is_empty() {
            self.say(MessageKind::Note, "nothing to search for yet: press /");
        } else if !self.log.find(towards) {
            let word = if towards == Towards::Older { "older" } else { "newer" };
            self.say(MessageKind::Note, format!("no {word} line has `{}`", self.log.search));
        }
    }

    /// The keys that move. A page is as long as half the screen, about what each part shows.
    fn go(&mut self, key: Key) {
        let page = isize::try_from(self.size.rows / 2).unwrap_or(isize::MAX).max(1);
        let by = match key {
            Key::Up | Key::Char('k') => -1,
            Key::Down | Key::Char('j') => 1,
            Key::PageUp => -page,
            Key::PageDown | Key::Char(' ') => page,
            Key::Home | Key::Char('g') => isize::MIN,
            Key::End | Key::Char('G') => isize::MAX,
            _ => return,
        };
        match self.focus {
            Focus::List => self.list.move_by(&self.apps, by),
            Focus::Log if by == isize::MIN => self.log.scroll_to_oldest(),
            Focus::Log => self.log.scroll(by),
        }
    }

    fn operate(&mut self, key: char) -> Vec<Effect> {
        let Some(row) = self.list.selected(&self.apps) else {
            self.say(MessageKind::Note, "no app is selected");
            return Vec::new();
        };
        let (operation, argument) = match key {
            'r' => (Operation::Reload, None),
            'R' => (Operation::Restart, None),
            'x' => (Operation::Stop, None),
            'u' => (Operation::Start, None),
            '-' => (Operation::Scale, Some("-1".to_owned())),
            _ => (Operation::Scale, Some("+1".to_owned())),
        };
        let change = Change { operation, target: row.app.name.clone(), argument };
        if key == '-' && row.app.instances.len() <= 1 {
            self.say(MessageKind::Failure, "an app keeps at least one instance; `x` stops it");
        } else if matches!(operation, Operation::Restart | Operation::Stop) {
            self.mode = Mode::Confirm(change);
        } else {
            return self.ask_for(change);
        }
        Vec::new()
    }

    fn answer(&mut self, change: Change, key: Key) -> Vec<Effect> {
        match key {
            Key::Char('y' | 'Y') => self.ask_for(change),
            // A paste is no answer.
            Key::Pasted(_) => {
                self.mode = Mode::Confirm(change);
                Vec::new()
            }
            _ => {
                self.say(MessageKind::Note, format!("{} {}: not done", change.operation, change.target));
                Vec::new()
            }
        }
    }

    fn ask_for(&mut self, change: Change) -> Vec<Effect> {
        self.message = None;
        self.pending.push(change.clone());
        vec![Effect::Do(change)]
    }

    fn edit_filter(&mut self, before: String, key: Key) -> Vec<Effect> {
        match edit(&mut self.list.filter, key) {
            Edit::Going => self.mode = Mode::Filter { before },
            Edit::Done => {}
            Edit::Cancelled => self.list.filter = before,
        }
        self.list.settle(&self.apps);
        Vec::new()
    }

    fn edit_search(&mut self, mut text: String, key: Key) -> Vec<Effect> {
        match edit(&mut text, key) {
            Edit::Going => self.mode = Mode::Search { text },
            Edit::Cancelled => {}
            Edit::Done if text.is_empty() => self.log.search.clear(),
            Edit::Done => {
                if !self.log.search_for(text.clone()) {
                    self.say(MessageKind::Note, format!("no line has `{text}`"));
                }
            }
        }
        Vec::new()
    }

    /// What is asked before `change` is done.
    #[must_use]
    pub fn question(&self, change: &Change) -> String {
        let instances = self.apps.iter().find(|app: &&AppView| app.name == change.target);
        let count = instances.map_or(0, |app| app.instances.len());
        let many = if count == 1 { "" } else { "s" };
        let gap = match change.operation {
            Operation::Restart => ", with a gap (`r` reloads without one)",
            _ => "",
        };
        format!("{} {} ({count} instance{many}){gap}? y/n", change.operation, change.target)
    }
}

fn other(focus: Focus) -> Focus {
    match focus {
        Focus::List => Focus::Log,
        Focus::Log => Focus::List,
    }
}

/// How typing goes.
enum Edit {
    Going,
    Done,
    Cancelled,
}

fn edit(text: &mut String, key: Key) -> Edit {
    match key {
        Key::Enter => return Edit::Done,
        Key::Esc => return Edit::Cancelled,
        Key::Backspace if text.pop().is_none() => return Edit::Cancelled,
        Key::Ctrl('u' | 'w') => text.clear(),
        Key::Char(c) | Key::Pasted(c) if text.chars().count() < LONGEST_TEXT => text.push(c),
        _ => {}
    }
    Edit::Going
}
