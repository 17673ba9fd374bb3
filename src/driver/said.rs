//! What workers say of themselves by sd_notify(3): some of it is for the supervisor, some is shown.

use serde::{Deserialize, Serialize};

use super::app::App;
use crate::handover::notify::Said;
use crate::spec::WorkerId;
use crate::supervisor::{Event, Word};

/// Longer ones are cut: it is shown in one line.
const LONGEST_STATUS: usize = 200;

/// What a worker has said of itself, to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OfItself {
    /// `STATUS=…`
    status: Option<String>,
    doing: Option<Doing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Doing {
    Reloading,
    Stopping,
}

impl OfItself {
    fn take(&mut self, said: &Said) {
        match said {
            Said::Status(status) => self.status = shown(status),
            Said::Reloading => self.doing = Some(Doing::Reloading),
            Said::Stopping => self.doing = Some(Doing::Stopping),
            // It also ends a reload.
            Said::Ready => self.doing = None,
            Said::Alive
            | Said::Failing
            | Said::WatchdogPeriod(_)
            | Said::ExtendTimeout(_)
            | Said::MainPid(_) => {}
        }
    }

    /// In words.
    pub(super) fn text(&self) -> Option<String> {
        let doing = self.doing.map(|doing| match doing {
            Doing::Reloading => "reloading",
            Doing::Stopping => "stopping",
        });
        match (doing, &self.status) {
            (Some(doing), Some(status)) => Some(format!("{doing}: {status}")),
            (Some(doing), None) => Some(doing.to_owned()),
            (None, status) => status.clone(),
        }
    }
}

/// In one line, without what a terminal would obey; an empty one is none.
fn shown(status: &str) -> Option<String> {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = status.chars().take(LONGEST_STATUS).map(clean).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl App {
    /// Hears what a worker, or a process of it, says by sd_notify.
    pub(super) fn on_said(&mut self, worker: WorkerId, said: &Said) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.said.take(said);
        }
        let word = match said {
            Said::Ready => return self.feed(Event::Ready { worker }),
            Said::Alive => Word::Alive,
            Said::Failing => Word::Trigger,
            Said::WatchdogPeriod(period) => Word::Period(*period),
            Said::ExtendTimeout(by) => Word::Extend(*by),
            Said::Stopping => Word::Stopping,
            // The process that we started is the worker: its end is the worker's, and its group is what we signal.
            Said::MainPid(_) | Said::Reloading | Said::Status(_) => {
                return tracing::debug!(worker = worker.0, ?said, "sd_notify");
            }
        };
        self.feed(Event::Notified { worker, word });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(said: &[Said]) -> Option<String> {
        let mut of_itself = OfItself::default();
        said.iter().for_each(|said| of_itself.take(said));
        of_itself.text()
    }

    #[test]
    fn the_last_status_is_shown_with_what_the_worker_is_doing() {
        let status = |text: &str| Said::Status(text.to_owned());
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[status("a"), status("b")]), Some("b".to_owned()));
        assert_eq!(after(&[status("b"), Said::Reloading]), Some("reloading: b".to_owned()));
        assert_eq!(after(&[Said::Reloading, Said::Ready, status("")]), None);
        assert_eq!(after(&[Said::Stopping]), Some("stopping".to_owned()));
    }

    #[test]
    fn a_status_is_one_line_that_no_terminal_obeys() {
        assert_eq!(shown("\u{1b}[2J 5\tof 7\n"), Some("[2J 5 of 7".to_owned()));
        assert_eq!(shown(&"x".repeat(999)).map(|text| text.len()), Some(LONGEST_STATUS));
    }
}
