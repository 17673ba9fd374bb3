//! Reads files that may be anything: too long, a pipe that nobody writes to, a device, a link to itself.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

/// What the files that people write do not exceed.
pub(super) const LIMIT: u64 = 64 << 10;

/// All of a regular file; `None` where it cannot be read, is none, or has more than `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    // Only non-blocking does the opening of a pipe not wait for a writer. To a regular file it is nothing.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut content = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut content).ok()?;
    (content.len() as u64 <= limit).then_some(content)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn only_regular_files_up_to_the_limit_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("file"), "12345").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("loop", path("loop")).unwrap();
        mkfifo(&path("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        assert_eq!(read(&path("file"), 5).as_deref(), Some(&b"12345"[..]));
        assert_eq!(read(&path("link"), LIMIT).as_deref(), Some(&b"12345"[..]));
        assert_eq!(read(&path("file"), 4), None);
        for name in ["absent", "loop", "pipe", ".", "file/below"] {
            assert_eq!(read(&path(name), LIMIT), None, "{name}");
        }
        assert_eq!(read(Path::new("/dev/zero"), LIMIT), None);
    }
}
