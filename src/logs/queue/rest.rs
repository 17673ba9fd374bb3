//! The queue of an output that comes to rest and goes on, here or in the next program.

use super::super::state::{Bytes, QueueState};
use super::{Kind, Open, Phase, Queue, SourceId, Writer};

impl Queue {
    /// Waits until the writer has written everything but what `state` holds. From then on it writes nothing, until `go_on`.
    /// To be called when no pump writes any more. Dropped early, it leaves the queue in between, so `go_on` must follow.
    pub(in crate::logs) async fn rest(&self) {
        {
            let mut state = self.lock();
            if state.phase == Phase::Running {
                state.place_own();
                state.phase = Phase::Resting;
            }
            self.wake_writer(&mut state);
        }
        while !self.is_rested() {
            self.rested.notified().await;
        }
    }

    /// Ends a rest.
    pub(in crate::logs) fn go_on(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Resting {
            state.phase = Phase::Running;
            self.wake_writer(&mut state);
        }
    }

    /// What is left at rest.
    pub(in crate::logs) fn state(&self) -> QueueState {
        let state = self.lock();
        QueueState {
            open: state.open.map(|open| open.source.0),
            ended: state.open.is_some_and(|open| open.kind == Kind::Ended),
            own: Bytes(state.own.clone()),
            lost: state.lost,
        }
    }

    /// The output ends within a line of somebody who will not go on with it.
    pub(in crate::logs) fn begin_within_line(&self) {
        self.lock().open = Some(Open { source: SourceId::NOBODY, kind: Kind::Ended });
    }

    /// Takes in what another queue has left.
    pub(in crate::logs) fn restore(&self, left: QueueState) {
        let mut state = self.lock();
        if let Some(source) = left.open {
            // At rest no object is open: a pump rests between two writes.
            let kind = if left.ended { Kind::Ended } else { Kind::Line };
            state.open = Some(Open { source: SourceId(source), kind });
        }
        state.own.extend(left.own.0);
        state.lost += left.lost;
        self.wake_writer(&mut state);
    }

    /// Ends the writer where nobody else has seen to that.
    pub(in crate::logs) fn abandon(&self) {
        // What is left at rest is somebody else's to write.
        let is_resting = self.lock().phase == Phase::Resting;
        if is_resting { self.close() } else { self.finish() }
    }

    fn is_rested(&self) -> bool {
        let state = self.lock();
        state.phase == Phase::Closed || state.pending.is_empty() && state.writer == Writer::Idle
    }
}
