//! Where a writer thread writes: one of our descriptors, or a log file.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing::Level;

use super::clock;
use super::file::{News, RotatingFile};
use super::format::rfc3339;
use super::message::{Look, Message};
use super::queue::Task;

/// How long to wait before writing to a full disk again.
const FULL_DISK: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) enum Target {
    /// Is waited for, however slow it is.
    Descriptor(OwnedFd),
    /// Is never waited for: what it does not take is lost and counted.
    File(Box<RotatingFile>, Look),
    /// All is thrown away.
    Nowhere,
}

impl Target {
    /// Writes all of `bytes`. An error means that the target takes nothing any more.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Descriptor(output) => Ok(write_all(output.as_fd(), bytes)?),
            Self::File(file, look) => {
                let (now, look) = (clock::now(), *look);
                let note = |lost| missing(lost).render(look, &rfc3339(now)).into_bytes();
                if let Some(news) = file.write(bytes, now, note) {
                    tell(&news, file);
                }
                Ok(())
            }
        }
    }

    /// Whether it is a file that ends within a line.
    pub(super) fn is_within_line(&self) -> bool {
        matches!(self, Self::File(file, _) if !file.is_at_line_start())
    }

    /// Does what is asked of a file. There is nothing to do for a descriptor.
    pub(super) fn perform(&mut self, task: Task) -> io::Result<()> {
        match (self, task) {
            (Self::Descriptor(_) | Self::Nowhere, _) => Ok(()),
            (Self::File(file, _), Task::Truncate) => file.truncate(),
            (Self::File(file, _), Task::Reopen) => file.reopen(clock::now()),
        }
    }
}

fn missing(lost: u64) -> Message {
    let text = "lines are missing here: the file could not be written".to_owned();
    Message { level: Level::WARN, text, fields: vec![("lost", lost.into())] }
}

/// Our own messages never wait, so this may be said from a writer's thread.
fn tell(news: &News, file: &RotatingFile) {
    let path = file.path().display();
    match news {
        News::Failed(error) => {
            tracing::error!(%path, %error, "a log file cannot be written: its lines are lost until it can");
        }
        News::Recovered(lost) => tracing::info!(%path, lost, "the log file is written again"),
        News::NotMoved(error) => {
            tracing::warn!(%path, %error, "a log file is due for rotation and cannot be moved: it grows");
        }
    }
}

fn write_all(output: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match nix::unistd::write(output, bytes) {
            // Nothing taken and no error: not something that an output may do with bytes to write.
            Ok(0) => return Err(Errno::EIO),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::EINTR) => {}
            // Somebody who shares the open file with us has made it non-blocking.
            Err(Errno::EAGAIN) => wait_writable(output)?,
            // Lines are never thrown away while they may still find a place; the workers wait.
            Err(Errno::ENOSPC | Errno::EDQUOT) => std::thread::sleep(FULL_DISK),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn wait_writable(output: BorrowedFd<'_>) -> Result<(), Errno> {
    match poll(&mut [PollFd::new(output, PollFlags::POLLOUT)], PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}
