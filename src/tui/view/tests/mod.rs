//! Whole screens, as text. The texts on file are in `snapshots/`.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use ratatui_core::buffer::{Buffer, CellWidth};
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier};

use super::super::state::input::{Input, Size};
use super::super::state::key::Key;
use super::super::state::model::State;
use super::super::state::tests::world::{
    app, dashboard, error_line, line, lines, outcome, press, tick, types, usual,
};
use super::help::KEYS;
use super::look::{ASCII, Colours, Look, UNICODE};
use super::screen::render;
use crate::api::messages::{MetricValue, MetricView};
use crate::api::types::{
    AppView, ExitView, GitView, ListenerView, LogStream, LogView, Operation, SettingView, Status,
};

const LOOK: Look = Look { colours: Colours::Sixteen, glyphs: &UNICODE };

fn draw(state: &mut State, columns: u16, rows: u16, look: Look) -> Buffer {
    drop(state.update(Input::Resize(Size { columns, rows })));
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    render(state, look, &mut buffer);
    buffer
}

/// The screen's text, without blanks at the ends of lines.
fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let (mut x, mut row) = (0, String::new());
        while x < buffer.area.width {
            let cell = &buffer[(x, y)];
            row.push_str(cell.symbol());
            x += cell.cell_width().max(1);
        }
        text += row.trim_end();
        text.push('\n');
    }
    text
}

fn screen(state: &mut State, columns: u16, rows: u16) -> String {
    text(&draw(state, columns, rows, LOOK))
}

/// An app of which everything is known.
fn rich() -> AppView {
    let mut web = app(0, "web", &[0, 1, 2]);
    web.instances[1].status = Status::WaitingRestart;
    web.instances[1].pid = None;
    web.instances[1].uptime_ms = None;
    web.instances[1].cpu_percent = None;
    web.instances[1].memory_bytes = None;
    web.instances[1].restarts = 7;
    web.instances[1].unstable_starts = 3;
    web.instances[1].next_start_in_ms = Some(4000);
    let at_ms = 1_700_000_000_000;
    web.instances[1].last_exit = Some(ExitView { reason: "exit code 3".into(), status: 3, at_ms });
    web.listeners =
        vec![ListenerView { address: "tcp 0.0.0.0:3000".into(), instance: None, waiting: Some(2) }];
    web.git = Some(GitView {
        branch: Some("main".into()),
        revision: "0123456789abcdef0123".into(),
        remote: Some("https://example.com/web.git".into()),
    });
    let setting = |name: &str, value: &str, origin: &str| SettingView {
        name: name.into(),
        value: value.into(),
        origin: origin.into(),
    };
    web.settings = vec![setting("instances", "3", "--instances"), setting("kill-timeout", "5s", "default")];
    web.metrics = BTreeMap::from([
        ("Heap Size".to_owned(), MetricView { value: MetricValue::Number(12.345), unit: "MiB".into() }),
        ("HTTP".to_owned(), MetricView { value: MetricValue::Number(250.0), unit: "req/min".into() }),
    ]);
    web.actions = vec!["km:heapdump".into()];
    for instance in &mut web.instances {
        (instance.metrics, instance.actions) = (web.metrics.clone(), web.actions.clone());
    }
    web
}

/// Some minutes into it, with lines of all kinds.
fn busy() -> State {
    let mut state = dashboard(vec![rich(), app(1, "worker", &[3])]);
    for second in 1..40_u32 {
        let mut apps = state.apps.clone();
        apps[0].instances[0].cpu_percent = Some(f64::from(second * 7 % 100));
        apps[0].instances[0].memory_bytes = Some(u64::from(50 + second * 2) << 20);
        drop(state.update(Input::Apps(apps)));
    }
    let own = LogView {
        stream: LogStream::Runtime,
        id: None,
        instance: None,
        ..line(0, "worker ready instance=0")
    };
    let mut all =
        vec![own, line(0, "listening on 3000"), error_line(0, "\x1b[31mwarning\x1b[0m: slow\tquery")];
    all.extend((0..60).map(|n| line(0, &format!("GET /{n} 200 {}", "x".repeat(n * 2)))));
    drop(state.update(lines(all)));
    state
}

#[test]
fn on_80_by_24_the_list_stands_above_the_log() {
    assert_snapshot!("80x24", screen(&mut busy(), 80, 24));
}

#[test]
fn on_200_by_50_details_and_curves_stand_beside_them() {
    assert_snapshot!("200x50", screen(&mut busy(), 200, 50));
}

#[test]
fn on_40_by_10_what_matters_most_is_left() {
    assert_snapshot!("40x10", screen(&mut busy(), 40, 10));
}

#[test]
fn what_is_too_small_says_so() {
    assert_snapshot!(screen(&mut usual(), 20, 6), @"
    too small
    20x6 of
    40x10
    q quits
    ");
    for (columns, rows) in [(0, 0), (1, 1), (39, 200), (200, 1)] {
        screen(&mut usual(), columns, rows);
    }
}

#[test]
fn an_empty_list_says_so() {
    assert_snapshot!("empty", screen(&mut dashboard(Vec::new()), 80, 12));
    let mut state = usual();
    types(&mut state, "fzzz");
    assert_snapshot!("no_match", screen(&mut state, 80, 12));
}

#[test]
fn long_names_and_wide_characters_stay_in_their_columns() {
    let mut state = dashboard(vec![
        app(0, "web", &[0]),
        app(1, "a-name-that-is-much-longer-than-any-column-of-this-list", &[1]),
        app(2, "商店前端服务商店前端服务商店前端服务", &[2]),
        app(3, "e\u{301}\u{202e}\x1b[2Jx", &[3]),
    ]);
    drop(state.update(lines(vec![
        line(0, &"你好".repeat(30)),
        line(0, "🚀 up"),
        line(0, "family 👨\u{200d}👩\u{200d}👧 here"),
    ])));
    assert_snapshot!("wide_characters", screen(&mut state, 80, 16));
}

#[test]
fn many_rows_scroll_so_that_the_selected_one_is_seen() {
    let mut state = dashboard((0..50).map(|n| app(n, &format!("app{n}"), &[n])).collect());
    press(&mut state, Key::End);
    let shown = screen(&mut state, 80, 24);
    assert!(shown.contains("▶   49 app49.0"), "{shown}");
    assert!(shown.contains("50/50"), "{shown}");
}

#[test]
fn long_lines_fold_when_asked_and_matches_are_marked() {
    let mut state = usual();
    drop(state.update(lines(vec![line(0, &"needle in hay ".repeat(9)), line(0, "end")])));
    types(&mut state, "w/NEEDLE");
    press(&mut state, Key::Enter);
    types(&mut state, "/needle");
    press(&mut state, Key::Enter);
    assert_snapshot!("folded", screen(&mut state, 80, 16));
    let buffer = draw(&mut state, 80, 16, LOOK);
    let marked = buffer.content().iter().filter(|cell| cell.modifier == Modifier::REVERSED | Modifier::BOLD);
    assert_eq!(marked.count(), 9 * "needle".len());
}

#[test]
fn questions_news_and_trouble_are_told_in_words() {
    let last = |state: &mut State| screen(state, 80, 24).lines().last().unwrap_or_default().to_owned();
    let mut state = usual();
    types(&mut state, "R");
    assert_snapshot!(last(&mut state), @" restart web (2 instances), with a gap (`r` reloads without one)? y/n");
    types(&mut state, "y");
    assert_snapshot!(last(&mut state), @" under way: restart web");
    let change = state.pending[0].clone();
    let result = Ok(outcome("web", Operation::Restart, false, "the worker exited with 1"));
    drop(state.update(Input::Done { change, result }));
    assert_snapshot!(last(&mut state), @" failed: web: the worker exited with 1");
    types(&mut state, "/wör");
    assert_snapshot!(last(&mut state), @" search: wör");
    drop(state.update(Input::Unreachable("connection refused".into())));
    tick(&mut state, 90);
    let first = screen(&mut state, 80, 24).lines().next().unwrap_or_default().to_owned();
    assert_snapshot!(first, @" pmr no answer for 1m, trying again: connection refused");
}

#[test]
fn the_pages_on_80_by_24() {
    let mut state = busy();
    press(&mut state, Key::Down);
    types(&mut state, "d");
    assert_snapshot!("details", screen(&mut state, 80, 24));
    types(&mut state, "?");
    assert_snapshot!("help", screen(&mut state, 80, 24));
}

#[test]
fn without_utf_8_everything_is_ascii() {
    let look = Look { colours: Colours::None, glyphs: &ASCII };
    let mut state = dashboard(vec![app(0, "café", &[0])]);
    drop(state.update(Input::Lines { target: "café".into(), lines: vec![line(0, "naïve 你")] }));
    let buffer = draw(&mut state, 80, 14, look);
    assert!(text(&buffer).is_ascii());
    assert_snapshot!("ascii", text(&buffer));
    assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn colours_are_of_the_sixteen_only() {
    for (columns, rows) in [(80, 24), (200, 50)] {
        let buffer = draw(&mut busy(), columns, rows, LOOK);
        let odd = |colour: Color| matches!(colour, Color::Rgb(..) | Color::Indexed(_));
        assert!(!buffer.content().iter().any(|cell| odd(cell.fg) || odd(cell.bg)));
    }
}

#[test]
fn the_page_on_monit_tells_the_same_keys() {
    let page = include_str!("../../../../docs/monit.md");
    for (keys, meaning) in KEYS {
        assert!(page.contains(&format!("| {keys} | {meaning} |")), "docs/monit.md lacks `{keys}`: {meaning}");
    }
}
