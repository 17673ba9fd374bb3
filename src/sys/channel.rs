//! The Unix stream socket between us and a worker: bytes both ways, descriptors from us to the worker only.
//!
//! Every call is non-blocking. Nothing is known here of what the bytes mean.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, recv, sendmsg};
use nix::sys::stat::fstat;

/// A connected pair: our end, which never blocks, and the worker's. Both are close-on-exec; the spawn gives the worker
/// its end by `dup2`.
///
/// # Errors
/// When the system or the process has no descriptor left.
pub fn pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, workers) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, workers.into()))
}

/// The number by which a worker recognizes its end: no other socket of the machine has it.
///
/// # Errors
/// None is known of.
pub fn inode(workers: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(fstat(workers)?.st_ino)
}

/// Reads what is there into `buffer` and says how many bytes; 0 is the end of the channel.
///
/// Descriptors that come along are closed by the kernel, since no room for them is offered (unix(7)); so a worker
/// cannot fill our table.
///
/// # Errors
/// `WouldBlock` where nothing is there; `ConnectionReset` where the worker died without having read everything.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Sends the beginning of `bytes`, as much as there is room for, and says how much. `descriptor` goes with the first
/// byte, so it must not be given again with the rest.
///
/// # Errors
/// `WouldBlock` where there is no room; `BrokenPipe` where the worker has closed its end (without a signal).
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<usize> {
    let parts = [IoSlice::new(bytes)];
    let raw = descriptor.map(|descriptor| [descriptor.as_raw_fd()]);
    let rights = raw.as_ref().map(|raw| [ControlMessage::ScmRights(raw)]);
    let control: &[ControlMessage<'_>] = rights.as_ref().map_or(&[], |rights| rights.as_slice());
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &parts, control, flags, None) {
            Err(Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn an_empty_channel_would_block_and_a_closed_one_is_at_its_end() {
        let (ours, workers) = pair().unwrap();
        let mut buffer = [0; 8];
        assert_eq!(receive(ours.as_fd(), &mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(workers);
        assert_eq!(receive(ours.as_fd(), &mut buffer).unwrap(), 0);
        assert_eq!(send(ours.as_fd(), b"x", None).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_descriptor_that_is_received_is_closed_at_once() {
        let (ours, workers) = pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        assert_eq!(send(workers.as_fd(), b"take this", Some(writer.as_fd())).unwrap(), 9);
        drop(writer);
        let mut buffer = [0; 64];
        assert_eq!(receive(ours.as_fd(), &mut buffer).unwrap(), 9);
        // The pipe is at its end only if nobody holds the writer any more; else this test would wait for ever.
        assert_eq!(reader.read(&mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_full_channel_takes_a_part_and_then_would_block() {
        let (ours, _workers) = pair().unwrap();
        let line = vec![b'x'; 8 << 20];
        let taken = send(ours.as_fd(), &line, None).unwrap();
        assert!(taken > 0 && taken < line.len());
        let mut more = 0;
        let error = loop {
            match send(ours.as_fd(), &line, None) {
                Ok(taken) => more += taken,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(more < line.len());
    }
}
