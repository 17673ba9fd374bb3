//! What keys do.

use super::super::input::Effect;
use super::super::key::Key;
use super::super::list::{Column, RowKey};
use super::super::log::{Scope, Streams, Wrap};
use super::super::model::{Focus, Mode, Page};
use super::world::{app, change, dashboard, line, lines, message, press, types, usual};
use crate::api::types::Operation;

#[test]
fn q_and_ctrl_c_quit_wherever_one_is() {
    assert_eq!(types(&mut usual(), "q"), [Effect::Quit]);
    assert_eq!(types(&mut usual(), "dq"), [Effect::Quit]);
    for before in ["", "d", "?", "f", "/", "R"] {
        let mut state = usual();
        types(&mut state, before);
        assert_eq!(press(&mut state, Key::Ctrl('c')), [Effect::Quit], "after {before:?}");
    }
}

#[test]
fn esc_undoes_one_thing_at_a_time_and_then_quits() {
    let mut state = usual();
    types(&mut state, "fweb");
    press(&mut state, Key::Enter);
    drop(state.update(lines(vec![line(0, "a"), line(0, "b")])));
    types(&mut state, "/a");
    press(&mut state, Key::Enter);
    assert!(state.log.is_paused(), "it shows the match, which is not the newest line");
    for _ in 0..3 {
        assert!(press(&mut state, Key::Esc).is_empty());
    }
    assert!(state.log.search.is_empty() && !state.log.is_paused() && state.list.filter.is_empty());
    assert_eq!(press(&mut state, Key::Esc), [Effect::Quit]);
}

#[test]
fn moving_the_selection_follows_the_log_of_its_app() {
    let mut state = usual();
    assert!(press(&mut state, Key::Down).is_empty(), "the same app");
    assert_eq!(press(&mut state, Key::Char('j')), [Effect::Follow("worker".into())]);
    assert!(press(&mut state, Key::PageDown).is_empty(), "the last one");
    assert_eq!(press(&mut state, Key::Home), [Effect::Follow("web".into())]);
    assert_eq!(state.list.selected, Some(RowKey::Instance(0)));
}

#[test]
fn the_keys_that_move_go_to_the_part_with_the_focus() {
    let mut state = usual();
    drop(state.update(lines((0..50).map(|n| line(0, &n.to_string())).collect())));
    press(&mut state, Key::Tab);
    assert_eq!(state.focus, Focus::Log);
    types(&mut state, "kk");
    assert_eq!((state.log.below(), state.list.selected), (2, Some(RowKey::Instance(0))));
    press(&mut state, Key::PageUp);
    assert_eq!(state.log.below(), 14);
    press(&mut state, Key::Home);
    assert_eq!(state.log.below(), 49);
    press(&mut state, Key::End);
    assert!(!state.log.is_paused());
    press(&mut state, Key::BackTab);
    assert_eq!(state.focus, Focus::List);
}

#[test]
fn a_reload_starts_at_once_and_is_under_way_until_it_is_answered() {
    let mut state = usual();
    assert_eq!(types(&mut state, "r"), [Effect::Do(change(Operation::Reload, None))]);
    assert_eq!(state.pending, [change(Operation::Reload, None)]);
}

#[test]
fn restart_and_stop_ask_first() {
    for (key, operation) in [("R", Operation::Restart), ("x", Operation::Stop)] {
        let mut state = usual();
        assert!(types(&mut state, key).is_empty());
        assert_eq!(state.mode, Mode::Confirm(change(operation, None)));
        assert_eq!(types(&mut state, "y"), [Effect::Do(change(operation, None))]);

        assert!(types(&mut state, key).is_empty());
        assert!(types(&mut state, "n").is_empty());
        assert_eq!(
            (state.mode.clone(), message(&state)),
            (Mode::Normal, &*format!("{operation} web: not done"))
        );
        types(&mut state, key);
        assert!(press(&mut state, Key::Enter).is_empty(), "only a `y` is a yes");
    }
}

#[test]
fn what_is_pasted_changes_nothing_but_text_that_is_being_typed() {
    let mut state = usual();
    for c in ['q', 'r', 'x', 'y'] {
        assert!(press(&mut state, Key::Pasted(c)).is_empty());
    }
    types(&mut state, "x");
    assert!(press(&mut state, Key::Pasted('y')).is_empty());
    assert!(matches!(state.mode, Mode::Confirm(_)));
    types(&mut state, "nf");
    press(&mut state, Key::Pasted('w'));
    assert_eq!(state.list.filter, "w");
}

#[test]
fn scaling_goes_by_one_and_never_to_none() {
    let mut state = usual();
    assert_eq!(types(&mut state, "+"), [Effect::Do(change(Operation::Scale, Some("+1")))]);
    assert_eq!(types(&mut state, "-"), [Effect::Do(change(Operation::Scale, Some("-1")))]);
    press(&mut state, Key::End);
    assert!(types(&mut state, "-").is_empty());
    assert_eq!(message(&state), "an app keeps at least one instance; `x` stops it");
}

#[test]
fn a_stopped_app_can_be_started_and_without_any_app_nothing_happens() {
    let mut state = dashboard(vec![app(0, "web", &[])]);
    assert_eq!(types(&mut state, "u"), [Effect::Do(change(Operation::Start, None))]);
    let mut state = dashboard(Vec::new());
    for key in ["r", "R", "x", "u", "+", "-"] {
        assert!(types(&mut state, key).is_empty(), "{key}");
        assert_eq!(message(&state), "no app is selected");
    }
}

#[test]
fn the_filter_counts_while_it_is_typed_and_esc_brings_the_old_one_back() {
    let mut state = usual();
    let count = |state: &super::super::model::State| state.list.rows(&state.apps).len();
    assert_eq!(types(&mut state, "fwo"), [Effect::Follow("worker".into())]);
    assert_eq!((count(&state), state.list.selected), (1, Some(RowKey::Instance(2))));
    press(&mut state, Key::Enter);
    types(&mut state, "fzzz");
    assert_eq!((count(&state), state.list.selected), (0, None));
    press(&mut state, Key::Esc);
    assert_eq!((count(&state), state.list.filter.as_str()), (1, "wo"));
    types(&mut state, "f");
    press(&mut state, Key::Ctrl('u'));
    press(&mut state, Key::Enter);
    assert_eq!(count(&state), 3);
}

#[test]
fn the_search_stops_at_the_last_match_and_says_so() {
    let mut state = usual();
    types(&mut state, "n");
    assert_eq!(message(&state), "nothing to search for yet: press /");
    drop(state.update(lines(["a 1", "b", "a 2", "b"].map(|text| line(0, text)).into())));
    types(&mut state, "/a ");
    press(&mut state, Key::Enter);
    assert_eq!(state.log.below(), 1);
    types(&mut state, "n");
    assert_eq!(state.log.below(), 3);
    types(&mut state, "n");
    assert_eq!((state.log.below(), message(&state)), (3, "no older line has `a `"));
    types(&mut state, "NN");
    assert_eq!((state.log.below(), message(&state)), (1, "no newer line has `a `"));
    types(&mut state, "/zzz");
    press(&mut state, Key::Enter);
    assert_eq!((state.log.below(), message(&state)), (1, "no line has `zzz`"));
}

#[test]
fn the_log_is_looked_at_in_other_ways_and_back() {
    let mut state = usual();
    types(&mut state, "weas");
    let log = &state.log;
    assert_eq!((log.wrap, log.streams, log.scope), (Wrap::Fold, Streams::Err, Scope::App));
    assert_eq!(state.list.column, Column::Name);
    types(&mut state, "wea");
    let log = &state.log;
    assert_eq!((log.wrap, log.streams, log.scope), (Wrap::Cut, Streams::Both, Scope::Instance));
}

#[test]
fn pages_are_turned_moved_and_left() {
    let mut state = usual();
    types(&mut state, "djj");
    assert_eq!((state.page, state.page_scroll), (Page::Details, 2));
    types(&mut state, "?");
    assert_eq!((state.page, state.page_scroll), (Page::Help, 0));
    types(&mut state, "rRx");
    assert!(state.pending.is_empty() && state.mode == Mode::Normal, "no app is changed out of sight");
    press(&mut state, Key::Esc);
    assert_eq!(state.page, Page::Main);
    press(&mut state, Key::Enter);
    types(&mut state, "d");
    assert_eq!(state.page, Page::Main);
}
