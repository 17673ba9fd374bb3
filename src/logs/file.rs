//! A log file that is moved aside when it is large or old.
//!
//! ```text
//! app.log --full, or too old--> app.log.1 --> app.log.2 --> … --> removed
//! ```
//!
//! It is moved at a line's end only, and only when there is more to write, so nobody is woken by its age. Whatever fails,
//! the writer goes on: what could not be written is lost, counted, and told of in the file as soon as that can be done.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use memchr::{memchr, memchr_iter, memrchr};

/// The file is the owner's to write and the group's to read.
const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;
/// How often, at most, it is looked whether somebody has moved the file away.
const LOOK: Duration = Duration::from_secs(1);

/// Which file, and when it is moved aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    pub path: PathBuf,
    /// It is moved before it would be larger; only its last line can make it so.
    pub max_bytes: Option<u64>,
    /// It is moved when it has been written to for so long.
    pub max_age: Option<Duration>,
    /// So many moved ones stay: `NAME.1` is the youngest.
    pub keep: u32,
}

/// What the file's owner should know.
#[derive(Debug)]
pub(super) enum News {
    /// From now on lines are lost.
    Failed(io::Error),
    /// Lines are written again; so many were lost.
    Recovered(u64),
    /// It should be moved aside but cannot, so it grows.
    NotMoved(io::Error),
}

/// See the module.
#[derive(Debug)]
pub(super) struct RotatingFile {
    settings: FileSettings,
    opened: Option<Opened>,
    at_line_start: bool,
    /// Lines that could not be written since one could.
    lost: u64,
    is_failing: bool,
    /// Whether the rest of a line whose start is lost is still to come.
    skips: bool,
    moves_fail: bool,
    looked: SystemTime,
}

#[derive(Debug)]
struct Opened {
    file: File,
    size: u64,
    born: SystemTime,
    /// Not a device or a pipe, which would be moved out of its place.
    is_regular: bool,
    /// Device and number.
    identity: (u64, u64),
}

impl RotatingFile {
    /// Opens the file to append to it, or makes it, and its directories.
    pub(super) fn open(settings: FileSettings, now: SystemTime) -> io::Result<Self> {
        let opened = Opened::open(&settings.path, now)?;
        let (lost, is_failing, skips, moves_fail) = (0, false, false, false);
        let (at_line_start, opened) = (opened.ends_a_line()?, Some(opened));
        Ok(Self { settings, opened, at_line_start, lost, is_failing, skips, moves_fail, looked: now })
    }

    pub(super) fn path(&self) -> &Path {
        &self.settings.path
    }

    /// Whether what is written next begins a line.
    pub(super) fn is_at_line_start(&self) -> bool {
        self.at_line_start
    }

    /// Writes `batch`, or counts what cannot be written. `note` makes the line that tells of so many lost ones.
    pub(super) fn write(
        &mut self,
        batch: &[u8],
        now: SystemTime,
        note: impl FnOnce(u64) -> Vec<u8>,
    ) -> Option<News> {
        let mut batch = batch;
        if self.skips {
            let end = memchr(b'\n', batch).map_or(batch.len(), |at| at + 1);
            self.count_lost(&batch[..end]);
            batch = &batch[end..];
        }
        let mut left = batch;
        let written = self.make_ready(now, note).and_then(|told| {
            let news = self.write_lines(&mut left, now)?;
            Ok(told.map(News::Recovered).or(news))
        });
        written.unwrap_or_else(|error| {
            self.count_lost(left);
            let begins = !std::mem::replace(&mut self.is_failing, true);
            begins.then_some(News::Failed(error))
        })
    }

    /// Empties the file. Moved ones stay.
    pub(super) fn truncate(&mut self) -> io::Result<()> {
        if let Some(opened) = &mut self.opened {
            opened.empty()?;
            self.at_line_start = true;
        }
        Ok(())
    }

    /// Opens the file anew, since somebody has moved it away.
    pub(super) fn reopen(&mut self, now: SystemTime) -> io::Result<()> {
        self.opened = None;
        let opened = Opened::open(&self.settings.path, now)?;
        self.at_line_start = opened.ends_a_line()?;
        self.opened = Some(opened);
        Ok(())
    }

    /// Sees to it that the file is there, and tells in it of what is missing. Returns how much that is.
    fn make_ready(&mut self, now: SystemTime, note: impl FnOnce(u64) -> Vec<u8>) -> io::Result<Option<u64>> {
        let has_looked = now.duration_since(self.looked).is_ok_and(|since| since < LOOK);
        if !has_looked {
            self.looked = now;
            if !self.is_in_place() {
                self.opened = None;
            }
        }
        if self.opened.is_none() {
            self.reopen(now)?;
        }
        if !self.is_failing || self.skips {
            return Ok(None);
        }
        let mut told = note(self.lost);
        if !self.at_line_start {
            told.insert(0, b'\n');
        }
        self.put(&mut &*told)?;
        self.is_failing = false;
        Ok(Some(std::mem::take(&mut self.lost)))
    }

    /// Writes what is left, moving the file aside where that is due. On an error `left` is what is not written.
    fn write_lines(&mut self, left: &mut &[u8], now: SystemTime) -> io::Result<Option<News>> {
        let mut news = None;
        while !left.is_empty() {
            if self.at_line_start && self.is_due(left, now) {
                news = self.turn_over(now)?.or(news);
            }
            let (mut piece, rest) = left.split_at(self.fitting(left));
            let result = self.put(&mut piece);
            *left = if result.is_ok() { rest } else { &left[left.len() - rest.len() - piece.len()..] };
            result?;
        }
        Ok(news)
    }

    /// Whether the file must be moved aside before what is `left` goes on.
    fn is_due(&self, left: &[u8], now: SystemTime) -> bool {
        let is_movable = |opened: &&Opened| opened.is_regular && opened.size > 0;
        let Some(opened) = self.opened.as_ref().filter(is_movable) else { return false };
        let line = memchr(b'\n', left).map_or(left.len(), |at| at + 1) as u64;
        let is_full = self.settings.max_bytes.is_some_and(|max| opened.size + line > max);
        let age = now.duration_since(opened.born).unwrap_or_default();
        is_full || self.settings.max_age.is_some_and(|max| age >= max)
    }

    /// How much of `left` is to be written before the file may have to be moved: whole lines that there is room for, or
    /// else the first line.
    fn fitting(&self, left: &[u8]) -> usize {
        let (Some(max), Some(opened)) = (self.settings.max_bytes, &self.opened) else { return left.len() };
        let room = usize::try_from(max.saturating_sub(opened.size)).unwrap_or(usize::MAX);
        if room >= left.len() || self.moves_fail {
            return left.len();
        }
        let end = memrchr(b'\n', &left[..room]).or_else(|| memchr(b'\n', left));
        end.map_or(left.len(), |at| at + 1)
    }

    /// Moves the file aside and begins a new one. Where it cannot be moved, the old one goes on.
    fn turn_over(&mut self, now: SystemTime) -> io::Result<Option<News>> {
        if self.is_in_place()
            && let Err(error) = self.move_aside()
        {
            let begins = !std::mem::replace(&mut self.moves_fail, true);
            return Ok(begins.then_some(News::NotMoved(error)));
        }
        self.moves_fail = false;
        self.reopen(now)?;
        Ok(None)
    }

    fn move_aside(&mut self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.settings.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        if self.settings.keep == 0 {
            return self.opened.as_mut().map_or(Ok(()), Opened::empty);
        }
        let is_free = |number: &u32| fs::symlink_metadata(numbered(*number)).is_err();
        let last = (1..self.settings.keep).find(is_free).unwrap_or(self.settings.keep);
        for number in (1..last).rev() {
            fs::rename(numbered(number), numbered(number + 1))?;
        }
        fs::rename(&self.settings.path, numbered(1))
    }

    /// Whether the path still leads to the file that we write.
    fn is_in_place(&self) -> bool {
        let there = fs::metadata(&self.settings.path).ok().map(|there| identity(&there));
        there.is_some() && there == self.opened.as_ref().map(|opened| opened.identity)
    }

    /// Writes all of `bytes`; on an error those that are left stand there.
    fn put(&mut self, bytes: &mut &[u8]) -> io::Result<()> {
        let opened = self.opened.as_mut().ok_or(io::ErrorKind::NotFound)?;
        while !bytes.is_empty() {
            match opened.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.at_line_start = bytes[written - 1] == b'\n';
                    opened.size += written as u64;
                    *bytes = &bytes[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn count_lost(&mut self, bytes: &[u8]) {
        self.lost += memchr_iter(b'\n', bytes).count() as u64;
        if let Some(last) = bytes.last() {
            self.skips = *last != b'\n';
        }
    }
}

impl Opened {
    fn open(path: &Path, now: SystemTime) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(path)?;
        let metadata = file.metadata()?;
        // Not every file system knows when a file was made.
        let born = metadata.created().unwrap_or(now);
        let is_regular = metadata.is_file();
        Ok(Self { size: metadata.len(), born, is_regular, identity: identity(&metadata), file })
    }

    /// Whether it is empty, or its last byte is a line end.
    fn ends_a_line(&self) -> io::Result<bool> {
        let mut last = [b'\n'];
        if self.size > 0 {
            self.file.read_at(&mut last, self.size - 1)?;
        }
        Ok(last == [b'\n'])
    }

    fn empty(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.size = 0;
        Ok(())
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests;
