//! The loop of the dashboard: keys, signals, time and the runtime's answers go to the state; what it asks for is done; and
//! the screen is drawn when something has changed, or a second has passed.

use std::io::{self, IsTerminal};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet, LocalSet};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::keyboard::Keyboard;
use super::screen::{self, Screen};
use super::source::{Said, Source};
use super::state::input::{Effect, Input};
use super::state::model::State;
use super::view::look::Look;
use crate::exit;
use crate::process::Signal;
use crate::sys::signals::{self, Arrived, Signals, Suspended};

/// The screen is not drawn more often: nobody reads faster, and a slow line has to carry it.
const BETWEEN_SCREENS: Duration = Duration::from_millis(40);

/// A runtime that takes longer to answer is shown as one that does not.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Answers and lines that wait to be taken in. When it is full, the stream of lines waits.
const WAITING: usize = 1024;

/// Why the dashboard cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum MonitError<E: std::error::Error + 'static> {
    #[error("the dashboard needs a terminal, and standard input or output is none")]
    NoTerminal,
    #[error("cannot {what}")]
    System {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    /// The runtime cannot be asked.
    #[error(transparent)]
    Source(E),
}

impl<E: std::error::Error + 'static> MonitError<E> {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoTerminal => {
                Some("`pmr list` shows the apps once; `docker exec` gives a terminal with `-it`")
            }
            Self::System { .. } | Self::Source(_) => None,
        }
    }
}

fn heard_signals() -> io::Result<Signals> {
    let mut signals = signals::hold()?.attach()?;
    signals.listen()?;
    Ok(signals)
}

/// Shows the dashboard until the user quits it. Gives the status to exit with: that of success, or of the signal that
/// ended it. Installs handlers for signals, so it is to be called once in a process, and from its one thread.
///
/// # Errors
/// When there is no terminal, or the runtime does not answer the first question. Later it is asked again and again.
pub async fn run<S: Source>(source: S, look: Look) -> Result<u8, MonitError<S::Error>> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(MonitError::NoTerminal);
    }
    let apps = source.apps().await.map_err(MonitError::Source)?;
    let system = |what| move |source| MonitError::System { what, source };
    let signals = heard_signals().map_err(system("watch for signals"))?;
    let keyboard = Keyboard::of_standard_input().map_err(system("watch the keyboard"))?;
    let screen = Screen::enter().map_err(system("take the terminal"))?;
    let dashboard = Dashboard::new(source, look, screen);
    LocalSet::new()
        .run_until(dashboard.run(signals, keyboard, Input::Apps(apps)))
        .await
        .map_err(system("use the terminal"))
}

/// Everything that the loop works with.
struct Dashboard<S> {
    source: Rc<S>,
    state: State,
    look: Look,
    /// `None` while it is given back.
    screen: Option<Screen>,
    sender: mpsc::Sender<Input>,
    inputs: mpsc::Receiver<Input>,
    /// Questions and streams; they end with the dashboard.
    tasks: JoinSet<()>,
    following: Option<AbortHandle>,
    /// Something has changed since the screen was drawn.
    dirty: bool,
    /// The status to exit with, once that is clear.
    ended: Option<u8>,
}

impl<S: Source> Dashboard<S> {
    fn new(source: S, look: Look, screen: Screen) -> Self {
        let (sender, inputs) = mpsc::channel(WAITING);
        Self {
            source: Rc::new(source),
            state: State::new(screen::size()),
            look,
            screen: Some(screen),
            sender,
            inputs,
            tasks: JoinSet::new(),
            following: None,
            dirty: true,
            ended: None,
        }
    }

    async fn run(mut self, mut signals: Signals, mut keyboard: Keyboard, first: Input) -> io::Result<u8> {
        let mut seconds = every(Duration::from_secs(1));
        let mut screens = every(BETWEEN_SCREENS);
        let begin = seconds.tick().await;
        self.take(first)?;
        while self.ended.is_none() {
            // All of them are cancel-safe: what has arrived stays where it is until it is taken.
            tokio::select! {
                Some(input) = self.inputs.recv() => self.take_waiting(input)?,
                keys = keyboard.next() => match keys {
                    Ok(keys) => keys.into_iter().try_for_each(|key| self.take(Input::Key(key)))?,
                    // The terminal is gone, and with it whoever looked at it.
                    Err(_gone) => self.ended = Some(exit::OK),
                },
                arrived = signals.next() => self.obey(&arrived?)?,
                now = seconds.tick() => self.take(Input::Tick(now.duration_since(begin)))?,
                _ = screens.tick(), if self.dirty => self.draw()?,
                Some(ended) = self.tasks.join_next() => pass_on_panic(ended),
            }
        }
        Ok(self.ended.unwrap_or(exit::OK))
    }

    /// `input` and those that wait behind it.
    fn take_waiting(&mut self, input: Input) -> io::Result<()> {
        self.take(input)?;
        for _ in 1..WAITING {
            let Ok(input) = self.inputs.try_recv() else { break };
            self.take(input)?;
        }
        Ok(())
    }

    fn take(&mut self, input: Input) -> io::Result<()> {
        self.dirty = true;
        for effect in self.state.update(input) {
            match effect {
                Effect::Fetch => self.fetch(),
                Effect::Follow(target) => self.follow(target),
                Effect::Do(change) => self.ask(change),
                Effect::Suspend => self.suspend(Suspended::Group)?,
                Effect::Quit => self.ended = Some(exit::OK),
            }
        }
        Ok(())
    }

    fn fetch(&mut self) {
        let (source, sender) = (Rc::clone(&self.source), self.sender.clone());
        self.tasks.spawn_local(async move {
            let questions = async { Ok::<_, S::Error>((source.runtime().await?, source.apps().await?)) };
            let answers = match tokio::time::timeout(ANSWER_WITHIN, questions).await {
                Ok(Ok((runtime, apps))) => vec![Input::Runtime(Box::new(runtime)), Input::Apps(apps)],
                Ok(Err(error)) => vec![Input::Unreachable(words(&error))],
                Err(_elapsed) => vec![Input::Unreachable("it takes too long".to_owned())],
            };
            for answer in answers {
                let _ending = sender.send(answer).await;
            }
        });
    }

    fn follow(&mut self, target: String) {
        if let Some(before) = self.following.take() {
            before.abort();
        }
        let (source, sender) = (Rc::clone(&self.source), self.sender.clone());
        self.following = Some(self.tasks.spawn_local(async move {
            let (lines, mut said) = mpsc::channel(WAITING);
            let passing_on = async {
                let mut batch = Vec::new();
                while said.recv_many(&mut batch, WAITING).await > 0 {
                    for input in inputs(&target, batch.drain(..)) {
                        let _ending = sender.send(input).await;
                    }
                }
            };
            // Why it ended shows in the next question's answer; a refusal means that the app is gone.
            let (_why, ()) = tokio::join!(source.follow(&target, lines), passing_on);
            let _ending = sender.send(Input::LinesEnded { target }).await;
        }));
    }

    fn ask(&mut self, change: super::state::input::Change) {
        let (source, sender) = (Rc::clone(&self.source), self.sender.clone());
        self.tasks.spawn_local(async move {
            let result = source.change(&change).await.map_err(|error| words(&error));
            let _ending = sender.send(Input::Done { change, result }).await;
        });
    }

    fn obey(&mut self, arrived: &[Arrived]) -> io::Result<()> {
        for Arrived { signal, .. } in arrived {
            match *signal {
                Signal::TERM | Signal::INT | Signal::HUP | Signal::QUIT => {
                    let number = u8::try_from(signal.as_raw()).unwrap_or(0);
                    self.ended = Some(exit::SIGNAL_BASE + number);
                }
                Signal::WINCH => self.take(Input::Resize(screen::size()))?,
                Signal::TSTP => self.suspend(Suspended::Process)?,
                // Nothing of the others is for us.
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives the terminal to the shell until it is given back.
    fn suspend(&mut self, who: Suspended) -> io::Result<()> {
        self.screen = None;
        signals::suspend(who)?;
        self.screen = Some(Screen::enter()?);
        self.take(Input::Resize(screen::size()))
    }

    fn draw(&mut self) -> io::Result<()> {
        self.dirty = false;
        self.screen.as_mut().map_or(Ok(()), |screen| screen.draw(&self.state, self.look))
    }
}

/// What a stream said, neighbouring lines together.
fn inputs(target: &str, said: impl Iterator<Item = Said>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for said in said {
        match (said, inputs.last_mut()) {
            (Said::Line(line), Some(Input::Lines { lines, .. })) => lines.push(line),
            (Said::Line(line), _) => {
                inputs.push(Input::Lines { target: target.to_owned(), lines: vec![line] });
            }
            (Said::Missed(count), _) => inputs.push(Input::Missed { target: target.to_owned(), count }),
        }
    }
    inputs
}

/// What went wrong and why, on one line.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// A beat that does not catch up on what it missed.
fn every(period: Duration) -> Interval {
    let mut beat = interval(period);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

/// The hook has given the terminal back already, so there is nothing to go on with.
fn pass_on_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
