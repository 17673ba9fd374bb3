//! How the C library keeps memory that was freed.
#![expect(unsafe_code, reason = "mallopt(3)")]

/// From this size on a buffer is a mapping of its own, which is gone when it is freed; and no buffer of the log is as large.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 512 << 10;

/// Has large buffers given back at once. By itself glibc takes each that was freed for a sign that more will follow, and keeps as much
/// for good: after some answers of a megabyte, several megabytes.
pub fn give_back_large_buffers() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number of the allocator, under the allocator's own lock. If it fails, all is as before.
    let _set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}
