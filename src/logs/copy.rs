//! What a pump reads, once more for others: each gets it through a pipe, as if the worker had written it there.
//!
//! So a log file beside our own output has a pump of its own, with its own lines, and an update hands both over. Who does not
//! read holds the worker up, as our output does; a file is never waited for, so its pump always reads.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use tokio::net::unix::pipe::Sender;

use crate::sys::inherited;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Copies(Vec<Sender>);

impl Copies {
    /// Copies to these ends of pipes. Fails where one is none.
    pub(super) fn new(pipes: Vec<OwnedFd>) -> io::Result<Self> {
        pipes.into_iter().map(Sender::from_owned_fd).collect::<io::Result<_>>().map(Self)
    }

    /// Goes on with pipes that an earlier program had. One that is lost is done without: its file ends there.
    pub(super) fn inherit(numbers: &[i32]) -> Self {
        let pipes = numbers.iter().filter_map(|&number| inherited::take(number).ok());
        Self(pipes.filter_map(|pipe| Sender::from_owned_fd(pipe).ok()).collect())
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(|sender| sender.as_fd())
    }

    pub(super) fn numbers(&self) -> Vec<i32> {
        self.0.iter().map(|sender| sender.as_raw_fd()).collect()
    }

    /// Writes all of `bytes` to each. One that nobody reads any more is given up.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(sender) = self.0.get(at) {
            if write_all(sender, bytes).await.is_ok() {
                at += 1;
            } else {
                self.0.remove(at);
            }
        }
    }
}

async fn write_all(sender: &Sender, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        sender.writable().await?;
        match sender.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
