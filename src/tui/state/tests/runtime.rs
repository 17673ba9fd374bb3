//! What the runtime's answers do.

use super::super::input::{Effect, Input};
use super::super::list::RowKey;
use super::super::model::{Connection, State};
use super::world::{SIZE, app, change, error_line, line, lines, message, outcome, press, tick, types, usual};
use crate::api::types::Operation;
use crate::tui::state::key::Key;

fn unreachable(state: &mut State) {
    drop(state.update(Input::Unreachable("connection refused".into())));
}

#[test]
fn the_first_answer_selects_the_first_instance_and_follows_its_log() {
    let mut state = State::new(SIZE);
    let effects = state.update(Input::Apps(vec![app(0, "web", &[4, 2])]));
    assert_eq!(effects, [Effect::Follow("web".into())]);
    assert_eq!(state.list.selected, Some(RowKey::Instance(2)));
}

#[test]
fn the_apps_are_asked_for_once_a_second_and_never_twice_at_a_time() {
    let mut state = State::new(SIZE);
    assert!(tick(&mut state, 5).is_empty(), "the first question is still open");
    drop(state.update(Input::Apps(Vec::new())));
    assert!(tick(&mut state, 5).is_empty());
    assert_eq!(tick(&mut state, 6), [Effect::Fetch]);
    assert!(tick(&mut state, 7).is_empty());
    unreachable(&mut state);
    assert_eq!(tick(&mut state, 8), [Effect::Fetch], "it is tried again");
}

#[test]
fn a_runtime_that_is_away_leaves_everything_in_place_until_it_answers_again() {
    let mut state = usual();
    unreachable(&mut state);
    assert!(matches!(&state.connection, Connection::Down { why, .. } if why == "connection refused"));
    assert_eq!(state.apps.len(), 2);
    press(&mut state, Key::Down);
    drop(state.update(Input::Apps(vec![app(0, "web", &[0, 1])])));
    assert_eq!((&state.connection, message(&state)), (&Connection::Up, "the runtime answers again"));
    assert_eq!(state.list.selected, Some(RowKey::Instance(1)));
}

#[test]
fn a_log_that_broke_off_is_followed_again_once_the_runtime_answers() {
    let mut state = usual();
    drop(state.update(lines(vec![line(0, "a")])));
    drop(state.update(Input::LinesEnded { target: "web".into() }));
    unreachable(&mut state);
    assert_eq!(tick(&mut state, 1), [Effect::Fetch]);
    drop(state.update(Input::Apps(vec![app(0, "web", &[0])])));
    assert_eq!(tick(&mut state, 1), [Effect::Follow("web".into())]);
    assert_eq!(state.log.shown().len(), 1, "the old lines stay until there are new ones");
    drop(state.update(lines(vec![line(0, "a"), line(0, "b")])));
    assert_eq!(state.log.shown().len(), 2);
}

#[test]
fn late_lines_of_another_app_are_not_taken_for_this_one() {
    let mut state = usual();
    press(&mut state, Key::End);
    for input in [
        lines(vec![line(2, "late")]),
        Input::Missed { target: "web".into(), count: 3 },
        Input::LinesEnded { target: "web".into() },
    ] {
        drop(state.update(input));
    }
    assert!(state.log.shown().is_empty());
    assert_eq!(tick(&mut state, 1), [Effect::Fetch]);
}

#[test]
fn lines_that_were_left_out_are_told() {
    let mut state = usual();
    drop(state.update(Input::Missed { target: "web".into(), count: 12 }));
    let shown = state.log.shown();
    assert_eq!(shown[0].text, "-- 12 lines were left out: they came faster than they could be sent --");
}

#[test]
fn a_verdict_stays_some_seconds_and_ends_what_was_under_way() {
    let mut state = usual();
    types(&mut state, "r");
    let result = Ok(outcome("web", Operation::Reload, true, "reloaded 2 instances"));
    drop(state.update(Input::Done { change: change(Operation::Reload, None), result }));
    assert_eq!((message(&state), state.pending.len()), ("web: reloaded 2 instances", 0));
    tick(&mut state, 4);
    assert_ne!(message(&state), "");
    tick(&mut state, 5);
    assert_eq!(message(&state), "");
}

#[test]
fn a_failed_reload_shows_the_last_lines_of_the_worker_that_failed() {
    let mut state = usual();
    let mut failed = outcome("web", Operation::Reload, false, "the new worker exited with 1");
    failed.verdicts[0].last_lines = vec!["SyntaxError: \x1b[31mUnexpected token".into()];
    drop(state.update(Input::Done { change: change(Operation::Reload, None), result: Ok(failed) }));
    assert_eq!(message(&state), "web: the new worker exited with 1");
    let texts: Vec<_> = state.log.shown().iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        texts,
        ["-- the last lines of the worker that the reload failed on: --", "SyntaxError: Unexpected token"]
    );
}

#[test]
fn a_refusal_is_told() {
    let mut state = usual();
    let result = Err("a reload is under way".into());
    drop(state.update(Input::Done { change: change(Operation::Scale, Some("+1")), result }));
    assert_eq!(message(&state), "cannot scale web: a reload is under way");
}

#[test]
fn an_app_that_vanishes_gives_its_place_and_its_log_to_the_next() {
    let mut state = usual();
    let effects = state.update(Input::Apps(vec![app(1, "worker", &[2])]));
    assert_eq!(effects, [Effect::Follow("worker".into())]);
    drop(state.update(Input::Apps(Vec::new())));
    assert_eq!(state.list.selected, None);
}

#[test]
fn only_the_selected_instances_lines_are_shown() {
    let mut state = usual();
    drop(state.update(lines(vec![line(0, "zero"), error_line(1, "one")])));
    let texts = |state: &State| state.log.shown().iter().map(|line| line.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&state), ["zero"]);
    press(&mut state, Key::Down);
    assert_eq!(texts(&state), ["one"]);
    types(&mut state, "a");
    assert_eq!(texts(&state), ["zero", "one"]);
}
