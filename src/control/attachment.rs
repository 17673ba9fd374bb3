//! A file on its way to a client, piece by piece: it may be larger than our memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::Bytes;
use tokio::task::JoinHandle;

/// How much is read at a time.
const PIECE: usize = 64 * 1024;

/// See the module. Its length is told before, so a client notices where it ends early.
pub(crate) struct Attachment {
    file: Arc<File>,
    at: u64,
    length: u64,
    /// Reading blocks, so it is done in a thread beside the loop.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Attachment {
    /// The whole of `file`.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), at: 0, length, reading: None })
    }

    /// What is still to be sent.
    pub(super) fn left(&self) -> u64 {
        self.length - self.at
    }

    /// The next piece; `None` at the end, or where nothing more can be read.
    pub(super) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.left() == 0 {
            return Poll::Ready(None);
        }
        let (file, at, left) = (&self.file, self.at, self.left());
        let reading = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            tokio::task::spawn_blocking(move || piece(&file, at, left))
        });
        let outcome = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let piece = outcome.ok().and_then(Result::ok).filter(|piece| !piece.is_empty());
        self.at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece)
    }
}

fn piece(file: &File, at: u64, left: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(left).unwrap_or(PIECE).min(PIECE)];
    let count = file.read_at(&mut bytes, at)?;
    bytes.truncate(count);
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;

    use super::*;

    async fn sent(mut attachment: Attachment) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = poll_fn(|context| attachment.poll_piece(context)).await {
            assert!(piece.len() <= PIECE);
            bytes.extend_from_slice(&piece);
        }
        bytes
    }

    #[tokio::test]
    async fn a_file_is_sent_whole_wherever_it_was_written_to_last() {
        let content: Vec<u8> = (0..PIECE * 2 + 1).map(|number| number.to_le_bytes()[0]).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        let attachment = Attachment::new(file).unwrap();
        assert_eq!(attachment.left(), content.len() as u64);
        assert!(sent(attachment).await == content);
    }

    #[tokio::test]
    async fn one_that_was_cut_off_meanwhile_ends_early() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let attachment = Attachment::new(file.try_clone().unwrap()).unwrap();
        file.set_len(0).unwrap();
        assert_eq!(sent(attachment).await, b"");
    }
}
