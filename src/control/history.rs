//! The last events, for whoever asks what has happened.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::broadcast::{self, error::RecvError};

use crate::api::types::EventView;

/// How many are kept.
pub(super) const KEPT: usize = 256;

/// The last events, oldest first. Cheap to copy.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    events: Rc<RefCell<VecDeque<Arc<EventView>>>>,
}

impl History {
    /// Keeps what `events` brings, until there are no more.
    pub(crate) async fn keep(self, mut events: broadcast::Receiver<Arc<EventView>>) {
        loop {
            match events.recv().await {
                Ok(event) => self.add(event),
                // Their numbers show that some are missing.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn add(&self, event: Arc<EventView>) {
        let mut events = self.events.borrow_mut();
        if events.len() == KEPT {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// The last `number` of those that are wanted.
    pub(super) fn last(
        &self,
        number: usize,
        wanted: impl Fn(&EventView) -> bool,
    ) -> VecDeque<Arc<EventView>> {
        let events = self.events.borrow();
        let mut found: VecDeque<_> =
            events.iter().rev().filter(|event| wanted(event)).take(number).cloned().collect();
        found.make_contiguous().reverse();
        found
    }

    /// The number of the last event of all.
    pub(super) fn newest(&self) -> Option<u64> {
        self.events.borrow().back().map(|event| event.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_last_events_are_kept_and_no_more() {
        let history = History::default();
        for seq in 0..300 {
            history.add(Arc::new(samples::event(seq, if seq % 2 == 0 { "even" } else { "odd" })));
        }
        let sequence =
            |events: VecDeque<Arc<EventView>>| events.iter().map(|event| event.seq).collect::<Vec<_>>();
        assert_eq!(history.last(1000, |_| true).len(), KEPT);
        assert_eq!(sequence(history.last(2, |event| event.app.as_deref() == Some("even"))), [296, 298]);
        assert_eq!(history.newest(), Some(299));
    }
}
