//! What waits to be written to one worker: lines in order, some with a descriptor `F`. Pure.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use serde::{Deserialize, Serialize};

use super::wire::{Carries, Frame};
use crate::spec::bytes;

/// How many bytes of answers may wait for a worker that does not read.
pub const ANSWERS: usize = 1 << 20;
/// How many of the app's messages. What workers tell each other through us waits while one is busy, and is lost beyond this.
pub const MESSAGES: usize = 4 << 20;

/// A queue of frames.
#[derive(Debug)]
pub struct Outbox<F> {
    frames: VecDeque<Waiting<F>>,
    answers: usize,
    messages: usize,
    refused: u64,
    closed: bool,
}

#[derive(Debug)]
struct Waiting<F> {
    line: Vec<u8>,
    written: usize,
    descriptor: Option<F>,
    class: Class,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Class {
    Answer,
    Message,
}

/// What another program is to write: a line, or the rest of one.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwritten {
    #[serde(with = "bytes::one")]
    rest: OsString,
    class: Class,
}

/// Whether a message for the app was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Taken {
    Queued,
    /// The worker has not read [`MESSAGES`] bytes of earlier ones, or is gone.
    Refused,
}

impl<F> Default for Outbox<F> {
    fn default() -> Self {
        Self { frames: VecDeque::new(), answers: 0, messages: 0, refused: 0, closed: false }
    }
}

impl<F> Outbox<F> {
    /// One that goes on for one which had refused so many messages and not written these lines.
    #[must_use]
    pub fn resume(refused: u64, unwritten: Vec<Unwritten>) -> Self {
        let mut outbox = Self { refused, ..Self::default() };
        for Unwritten { rest, class } in unwritten {
            outbox.queue(Frame { line: rest.into_vec(), carries: Carries::Nothing }, None, class);
        }
        outbox
    }

    /// All lines that wait, in order; `None` if one of them has a descriptor, which only this program can send.
    #[must_use]
    pub fn unwritten(&self) -> Option<Vec<Unwritten>> {
        let rest = |waiting: &Waiting<F>| Unwritten {
            rest: OsString::from_vec(waiting.line[waiting.written..].to_vec()),
            class: waiting.class,
        };
        self.is_plain().then(|| self.frames.iter().map(rest).collect())
    }

    /// Whether no line with a descriptor waits.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.frames.iter().all(|waiting| waiting.descriptor.is_none() || waiting.written > 0)
    }

    /// Queues a message of the protocol, which is never refused.
    ///
    /// # Panics
    /// When `descriptor` is missing although the frame carries one, or the other way round.
    pub fn push(&mut self, frame: Frame, descriptor: Option<F>) {
        assert_eq!(frame.carries == Carries::Descriptor, descriptor.is_some());
        self.queue(frame, descriptor, Class::Answer);
    }

    /// Queues a message for the app, unless too many wait. A single one may be of any length.
    pub fn push_message(&mut self, frame: Frame) -> Taken {
        let full = self.messages > 0 && self.messages + frame.line.len() > MESSAGES;
        if self.closed || full {
            self.refused += 1;
            return Taken::Refused;
        }
        self.queue(frame, None, Class::Message);
        Taken::Queued
    }

    /// What to write next: the rest of a line, and the descriptor that has to go with its first byte.
    #[must_use]
    pub fn front(&self) -> Option<(&[u8], Option<&F>)> {
        let front = self.frames.front()?;
        let descriptor = front.descriptor.as_ref().filter(|_| front.written == 0);
        Some((&front.line[front.written..], descriptor))
    }

    /// The first `count` bytes of [`Self::front`] have been written.
    pub fn advance(&mut self, count: usize) {
        let Some(front) = self.frames.front_mut() else {
            return;
        };
        front.written += count;
        *match front.class {
            Class::Answer => &mut self.answers,
            Class::Message => &mut self.messages,
        } -= count;
        if front.written == front.line.len() {
            self.frames.pop_front();
        }
    }

    /// Whether so many answers wait that the worker should get to ask nothing more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.answers > ANSWERS
    }

    /// How many messages for the app were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Forgets what waits, descriptors too, and takes nothing any more: nobody will read it.
    pub fn close(&mut self) {
        let refused = self.refused;
        *self = Self { closed: true, refused, ..Self::default() };
    }

    fn queue(&mut self, frame: Frame, descriptor: Option<F>, class: Class) {
        if self.closed {
            return;
        }
        *match class {
            Class::Answer => &mut self.answers,
            Class::Message => &mut self.messages,
        } += frame.line.len();
        self.frames.push_back(Waiting { line: frame.line, written: 0, descriptor, class });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Frame {
        Frame { line: text.as_bytes().to_vec(), carries: Carries::Nothing }
    }

    fn carrying(text: &str) -> Frame {
        Frame { carries: Carries::Descriptor, ..frame(text) }
    }

    #[test]
    fn a_descriptor_goes_with_the_first_byte_only() {
        let mut outbox = Outbox::default();
        outbox.push(carrying("one\n"), Some(7));
        outbox.push(frame("two\n"), None);
        assert_eq!(outbox.front(), Some((&b"one\n"[..], Some(&7))));
        outbox.advance(1);
        assert_eq!(outbox.front(), Some((&b"ne\n"[..], None)));
        outbox.advance(3);
        assert_eq!(outbox.front(), Some((&b"two\n"[..], None)));
        outbox.advance(4);
        assert_eq!(outbox.front(), None);
    }

    #[test]
    fn messages_beyond_the_limit_are_refused_and_counted_but_answers_are_not() {
        let mut outbox: Outbox<u8> = Outbox::default();
        let big = "x".repeat(MESSAGES * 2);
        assert_eq!(outbox.push_message(frame(&big)), Taken::Queued);
        assert_eq!(outbox.push_message(frame("y\n")), Taken::Refused);
        assert_eq!(outbox.refused(), 1);
        assert!(!outbox.is_full());
        outbox.push(frame(&big), None);
        assert!(outbox.is_full());
        outbox.push(carrying("z\n"), Some(1));
        outbox.advance(big.len());
        assert_eq!(outbox.push_message(frame("y\n")), Taken::Queued);
        outbox.advance(big.len());
        assert!(!outbox.is_full());
    }

    #[test]
    fn what_is_not_written_another_program_writes() {
        let mut outbox = Outbox::default();
        outbox.push(carrying("one\n"), Some(7));
        assert_eq!(outbox.push_message(frame("z\u{e9}\n")), Taken::Queued);
        assert_eq!((outbox.unwritten(), outbox.is_plain()), (None, false));
        // Its descriptor has gone with the first byte; of the message, half a letter.
        outbox.advance(2);
        assert_eq!((outbox.unwritten().map(|all| all.len()), outbox.is_plain()), (Some(2), true));
        outbox.advance(2);
        outbox.advance(2);
        let handed_over = serde_json::to_string(&outbox.unwritten()).unwrap();
        let resumed: Outbox<u8> = Outbox::resume(3, serde_json::from_str(&handed_over).unwrap());
        assert_eq!(resumed.front(), Some((&b"\xa9\n"[..], None)));
        assert_eq!((resumed.refused(), resumed.messages, resumed.answers), (3, 2, 0));
    }

    #[test]
    fn a_closed_outbox_keeps_nothing() {
        let mut outbox = Outbox::default();
        outbox.push(carrying("one\n"), Some(7));
        outbox.close();
        outbox.push(carrying("two\n"), Some(8));
        assert_eq!(outbox.push_message(frame("three\n")), Taken::Refused);
        assert_eq!(outbox.front(), None);
    }
}
