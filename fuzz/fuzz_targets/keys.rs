//! The dashboard: any bytes of a keyboard, and whatever a runtime shows; at any size a screen comes of it.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use pmr_runtime::api::types::{
    AppView, InstanceView, LogStream, LogView, Operation, Outcome, RuntimeView, Status, Verdict,
};
use pmr_runtime::tui::state::input::{Change, Effect, Input, Size};
use pmr_runtime::tui::state::key::{Decoder, Key};
use pmr_runtime::tui::state::model::State;
use pmr_runtime::tui::view::look::{ASCII, Colours, Look, UNICODE};
use pmr_runtime::tui::view::screen::render;
use pmr_runtime_fuzz::{is_one_of, views};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

const SIZE: Size = Size { columns: 80, rows: 24 };
/// One input of so many is drawn.
const DRAWN: u8 = 4;
/// As the dashboard's documentation says.
const MOST_LINES: usize = 1000;
const STATUSES: [Status; 8] = [
    Status::Online,
    Status::Unhealthy,
    Status::Standby,
    Status::Launching,
    Status::WaitingRestart,
    Status::Stopping,
    Status::Stopped,
    Status::Errored,
];

static APP: LazyLock<AppView> = LazyLock::new(|| views::app(0, "", "", &[0]));
static RUNTIME: LazyLock<RuntimeView> = LazyLock::new(views::runtime);

#[derive(Debug, Arbitrary)]
enum Happening<'a> {
    Keyboard(&'a [u8]),
    Silence,
    Apps(Vec<App<'a>>),
    Runtime { text: &'a str, number: u64, load: Option<[f64; 3]> },
    Unreachable(&'a str),
    Lines { of: &'a str, lines: Vec<(u8, u64, &'a str)> },
    Missed { of: &'a str, count: u64 },
    LinesEnded { of: &'a str },
    Done { of: &'a str, number: u8, ok: bool, said: Option<&'a str> },
    Tick(u8),
    Resize { columns: u8, rows: u8 },
}

#[derive(Debug, Arbitrary)]
struct App<'a> {
    id: u8,
    name: &'a str,
    text: &'a str,
    number: u64,
    instances: Vec<(u8, u8, f64, Option<u64>)>,
}

fuzz_target!(|data: &[u8]| {
    let Ok(input) = Arbitrary::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let (ascii, happenings): (bool, Vec<Happening<'_>>) = input;
    let look = Look { colours: Colours::Sixteen, glyphs: if ascii { &ASCII } else { &UNICODE } };
    let (mut state, mut decoder, mut questions) = (State::new(SIZE), Decoder::default(), 1);
    for happening in happenings {
        for input in inputs(happening, &mut decoder, &state) {
            if matches!(input, Input::Apps(_) | Input::Unreachable(_)) {
                questions = 0;
            }
            let effects = state.update(input);
            questions += effects.iter().filter(|effect| **effect == Effect::Fetch).count();
            assert!(questions <= 1, "asked again before the answer");
            is_sound(&state);
        }
    }
    // To draw takes longer than all else.
    if is_one_of(DRAWN, data) {
        draw(&state, look, ascii);
    }
});

fn inputs(happening: Happening<'_>, decoder: &mut Decoder, state: &State) -> Vec<Input> {
    vec![match happening {
        Happening::Keyboard(bytes) => return keys(bytes, decoder).into_iter().map(Input::Key).collect(),
        Happening::Silence => return decoder.flush().into_iter().map(Input::Key).collect(),
        Happening::Apps(apps) => Input::Apps(apps.into_iter().map(app).collect()),
        Happening::Runtime { text, number, load } => Input::Runtime(Box::new(runtime(text, number, load))),
        Happening::Unreachable(why) => Input::Unreachable(why.to_owned()),
        Happening::Lines { of, lines } => Input::Lines {
            target: target(of, state),
            lines: lines.into_iter().map(|(number, at_ms, text)| line(number, at_ms, text)).collect(),
        },
        Happening::Missed { of, count } => Input::Missed { target: target(of, state), count },
        Happening::LinesEnded { of } => Input::LinesEnded { target: target(of, state) },
        Happening::Done { of, number, ok, said } => done(target(of, state), number, ok, said),
        Happening::Tick(seconds) => Input::Tick(state.now + Duration::from_secs(seconds.into())),
        Happening::Resize { columns, rows } => {
            Input::Resize(Size { columns: u16::from(columns) % 160, rows: u16::from(rows) % 48 })
        }
    }]
}

/// The same wherever the bytes are cut.
fn keys(bytes: &[u8], decoder: &mut Decoder) -> Vec<Key> {
    let whole = Decoder::default().feed(bytes);
    let mut cut = Decoder::default();
    let one_by_one: Vec<Key> = bytes.iter().flat_map(|&byte| cut.feed(&[byte])).collect();
    // What is longer than any sequence is noise, of which more is passed over when it comes at once.
    if bytes.len() <= 32 {
        assert_eq!(whole, one_by_one);
    }
    decoder.feed(bytes)
}

/// Mostly the app that is looked at.
fn target(of: &str, state: &State) -> String {
    match &state.log.target {
        Some(target) if of.len() < 2 => target.clone(),
        Some(_) | None => of.to_owned(),
    }
}

fn app(App { id, name, text, number, instances }: App<'_>) -> AppView {
    AppView {
        app_id: id.into(),
        name: name.to_owned(),
        namespace: text.to_owned(),
        version: Some(text.to_owned()).filter(|_| number & 1 == 0),
        command: vec![text.to_owned()],
        script: Some(text.to_owned()),
        directory: text.to_owned(),
        share: text.to_owned(),
        user: text.to_owned(),
        status: STATUSES[usize::from(id) % STATUSES.len()],
        created_at_ms: number,
        generation: u32::from(id),
        instances: (0..).zip(instances).map(|(at, instance)| self::instance(at, number, instance)).collect(),
        ..APP.clone()
    }
}

fn instance(instance: u32, number: u64, (id, kind, cpu, memory): (u8, u8, f64, Option<u64>)) -> InstanceView {
    let some = |bit: u8| (kind & bit != 0).then_some(number);
    InstanceView {
        id: id.into(),
        instance,
        status: STATUSES[usize::from(kind) % STATUSES.len()],
        uptime_ms: some(1),
        cpu_percent: some(2).map(|_| cpu),
        memory_bytes: memory,
        next_start_in_ms: some(4),
        restarts: u32::try_from(number).unwrap_or(u32::MAX),
        unstable_starts: u32::try_from(number).unwrap_or(u32::MAX),
        ..APP.instances[0].clone()
    }
}

fn runtime(text: &str, number: u64, load: Option<[f64; 3]>) -> RuntimeView {
    let mut runtime = RUNTIME.clone();
    text.clone_into(&mut runtime.version);
    text.clone_into(&mut runtime.socket);
    runtime.uptime_ms = number;
    runtime.memory_bytes = Some(number);
    runtime.machine.memory_limit_bytes = Some(number);
    runtime.machine.memory_available_bytes = Some(number / 2);
    runtime.machine.host = Some(text.to_owned());
    runtime.machine.load = load;
    runtime
}

fn line(number: u8, at_ms: u64, text: &str) -> LogView {
    let id = Some(u32::from(number));
    let stream = [LogStream::Out, LogStream::Err, LogStream::Runtime][usize::from(number) % 3];
    LogView { at_ms, app: None, id, instance: id, pid: None, stream, text: text.to_owned() }
}

fn done(target: String, number: u8, ok: bool, said: Option<&str>) -> Input {
    let operation = [Operation::Reload, Operation::Restart, Operation::Scale][usize::from(number) % 3];
    let verdict = |message: &str| Verdict {
        app: Some(target.clone()).filter(|_| number & 4 != 0),
        operation,
        ok,
        message: message.to_owned(),
        took_ms: number.into(),
        generation: None,
        instances: None,
        last_lines: vec![message.to_owned()],
    };
    let result = match said {
        Some(said) => Ok(Outcome { verdicts: vec![verdict(said); usize::from(number % 3)] }),
        None => Err("gone".to_owned()),
    };
    Input::Done { change: Change { operation, target: target.clone(), argument: None }, result }
}

fn is_sound(state: &State) {
    let rows = state.list.rows(&state.apps);
    let selected = rows.iter().any(|row| Some(row.key()) == state.list.selected);
    assert_ne!(selected, rows.is_empty(), "selected {:?} of {} rows", state.list.selected, rows.len());
    assert!(state.log.shown().len() <= MOST_LINES);
    if let Some(row) = state.list.selected(&state.apps) {
        assert_eq!(state.log.target.as_ref(), Some(&row.app.name));
    }
}

fn draw(state: &State, look: Look, ascii: bool) {
    let mut buffer = Buffer::empty(Rect::new(0, 0, state.size.columns, state.size.rows));
    render(state, look, &mut buffer);
    for cell in buffer.content().iter().filter(|cell| cell.symbol() != " ") {
        assert!(!cell.symbol().contains(char::is_control));
        assert!(!ascii || cell.symbol().is_ascii(), "{:?}", cell.symbol());
    }
}
