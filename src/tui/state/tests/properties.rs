//! Whatever happens in whatever order: nothing panics, and what is selected and shown is there.

use std::time::Duration;

use proptest::prelude::*;

use super::super::input::{Effect, Input, Size};
use super::super::key::Key;
use super::super::model::State;
use super::world::{SIZE, app, change, error_line, line, outcome, runtime};
use crate::api::types::{AppView, Operation};
use crate::tui::view::look::{ASCII, Colours, Look, UNICODE};
use crate::tui::view::screen::render;

fn a_key() -> impl Strategy<Value = Key> {
    let named = [
        Key::Enter,
        Key::Esc,
        Key::Backspace,
        Key::Tab,
        Key::BackTab,
        Key::Up,
        Key::Down,
        Key::Left,
        Key::Right,
        Key::Home,
        Key::End,
        Key::PageUp,
        Key::PageDown,
        Key::Ctrl('u'),
        Key::Ctrl('c'),
    ];
    prop_oneof![
        3 => prop::sample::select(named.to_vec()),
        6 => prop::sample::select("jkgGfdsS/nNpaewrRxu+-=?hyq 0".chars().collect::<Vec<_>>()).prop_map(Key::Char),
        1 => any::<char>().prop_map(Key::Char),
        1 => any::<char>().prop_map(Key::Pasted),
    ]
}

fn some_apps() -> impl Strategy<Value = Vec<AppView>> {
    let one = (0_u32..4, "[a-c你\u{202e}\x1b]{0,12}", prop::collection::vec(0_u32..8, 0..4));
    prop::collection::vec(one, 0..5).prop_map(|apps| {
        apps.into_iter()
            .map(|(id, name, instances)| {
                let mut app = app(id, &name, &instances);
                for instance in &mut app.instances {
                    instance.cpu_percent = [None, Some(f64::NAN), Some(250.0)][instance.id as usize % 3];
                }
                app
            })
            .collect()
    })
}

fn an_input() -> impl Strategy<Value = Input> {
    let size = (0_u16..220, 0_u16..60).prop_map(|(columns, rows)| Input::Resize(Size { columns, rows }));
    let lines =
        ("[a-c]{0,2}", prop::collection::vec((0_u32..8, "\\PC{0,30}|\x1b\\[[0-9]{1,3}m.{0,5}"), 0..8));
    prop_oneof![
        12 => a_key().prop_map(Input::Key),
        3 => some_apps().prop_map(Input::Apps),
        1 => Just(Input::Runtime(Box::new(runtime()))),
        1 => Just(Input::Unreachable("gone".into())),
        2 => lines.prop_map(|(target, lines)| Input::Lines {
            target,
            lines: lines.iter().map(|(id, text)| if id % 2 == 0 { line(*id, text) } else { error_line(*id, text) }).collect(),
        }),
        1 => "[a-c]{0,2}".prop_map(|target| Input::Missed { target, count: 7 }),
        1 => "[a-c]{0,2}".prop_map(|target| Input::LinesEnded { target }),
        1 => any::<bool>().prop_map(|ok| Input::Done {
            change: change(Operation::Reload, None),
            result: Ok(outcome("a", Operation::Reload, ok, "said")),
        }),
        2 => (0_u64..100).prop_map(|seconds| Input::Tick(Duration::from_secs(seconds))),
        1 => size,
    ]
}

fn check(state: &State) -> Result<(), TestCaseError> {
    let rows = state.list.rows(&state.apps);
    let selected = rows.iter().any(|row| Some(row.key()) == state.list.selected);
    prop_assert_ne!(selected, rows.is_empty(), "selected {:?} of {} rows", state.list.selected, rows.len());
    prop_assert!(state.log.shown().len() <= 1000);
    if let Some(row) = state.list.selected(&state.apps) {
        prop_assert_eq!(state.log.target.as_ref(), Some(&row.app.name));
    }
    Ok(())
}

proptest! {
    // Each case draws up to 80 screens.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_history_of_inputs_panics_or_loses_the_selection(inputs in prop::collection::vec(an_input(), 0..80), ascii: bool) {
        let look = Look { colours: Colours::Sixteen, glyphs: if ascii { &ASCII } else { &UNICODE } };
        let mut state = State::new(SIZE);
        let mut questions = 1;
        for input in inputs {
            if matches!(input, Input::Apps(_) | Input::Unreachable(_)) {
                questions = 0;
            }
            let effects = state.update(input);
            questions += effects.iter().filter(|effect| **effect == Effect::Fetch).count();
            prop_assert!(questions <= 1, "asked again before the answer");
            check(&state)?;
            let area = ratatui_core::layout::Rect::new(0, 0, state.size.columns, state.size.rows);
            let mut buffer = ratatui_core::buffer::Buffer::empty(area);
            render(&state, look, &mut buffer);
            for cell in buffer.content() {
                prop_assert!(!cell.symbol().contains(char::is_control));
                prop_assert!(!ascii || cell.symbol().is_ascii(), "{:?}", cell.symbol());
            }
        }
    }
}
