//! The terminal itself. Taken for as long as a [`Screen`] lives, and given back as it was on every way out: when it is
//! dropped, and by a hook when something panics, so that what went wrong can be read.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use super::state::input::Size;
use super::state::model::State;
use super::view::ansi::changes;
use super::view::look::Look;
use super::view::screen::render;
use crate::sys::screen as terminal;

/// The alternate screen, no cursor, pastes marked as such.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[0m\x1b[2J";

/// All of it undone.
const LEAVE: &str = "\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// Where the terminal does not say how large it is: that of old.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// Larger ones are not drawn on: whoever claims to have one would only cost memory.
const LARGEST: Size = Size { columns: 1000, rows: 500 };

/// What the terminal was set to before, while it is taken. Here, since a panic's hook must find it.
static BEFORE: Mutex<Option<terminal::Before>> = Mutex::new(None);

/// A terminal that is taken.
#[derive(Debug)]
pub(super) struct Screen {
    shown: Buffer,
}

impl Screen {
    /// Takes the terminal at standard input and output.
    pub(super) fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let previous = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                leave();
                previous(info);
            }));
        });
        let before = terminal::make_raw()?;
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        let screen = Self { shown: Buffer::empty(Rect::ZERO) };
        // From here on `screen` gives it back when a write fails.
        write(ENTER)?;
        Ok(screen)
    }

    /// Brings the terminal to where it shows `state`.
    pub(super) fn draw(&mut self, state: &State, look: Look) -> io::Result<()> {
        let mut next = Buffer::empty(Rect::new(0, 0, state.size.columns, state.size.rows));
        render(state, look, &mut next);
        let bytes = changes(&self.shown, &next);
        self.shown = next;
        if bytes.is_empty() { Ok(()) } else { write(&bytes) }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// How large the terminal is now.
pub(super) fn size() -> Size {
    let told = terminal_size::terminal_size_of(io::stdout());
    told.map_or(USUAL, |(terminal_size::Width(columns), terminal_size::Height(rows))| Size {
        columns: columns.min(LARGEST.columns),
        rows: rows.min(LARGEST.rows),
    })
}

/// Gives the terminal back, if it is taken. A terminal that is gone needs nothing.
fn leave() {
    // Whoever panicked may hold the lock; then nothing is taken yet.
    let Some(before) = BEFORE.try_lock().ok().and_then(|mut before| before.take()) else { return };
    let _gone = write(LEAVE);
    let _gone = terminal::restore(&before);
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
