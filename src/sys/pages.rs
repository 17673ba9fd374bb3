//! Giving pages of the executable back that nothing needs for now.
#![expect(unsafe_code, reason = "dl_iterate_phdr(3) and madvise(2) on our own executable")]

use std::ffi::{c_int, c_void};

use nix::sys::mman::{MmapAdvise, madvise};

/// Lets go of the pages of our code and constants. The kernel has them in its cache of the file, so what is needed again
/// comes back at its first use; what only the start or an order needed counts as ours no more.
pub fn give_back_code() {
    // SAFETY: `visit` has the type that is asked for, takes no data, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::null_mut()) };
}

/// Called for each loaded object: in a static executable for the executable itself, and for the vdso.
extern "C" fn visit(info: *mut libc::dl_phdr_info, _size: usize, _data: *mut c_void) -> c_int {
    // SAFETY: the C library passes a valid description for the duration of this call.
    let info = unsafe { &*info };
    let count = usize::from(info.dlpi_phnum);
    if info.dlpi_phdr.is_null() || count == 0 {
        return 0;
    }
    // SAFETY: `dlpi_phdr` points to `dlpi_phnum` headers, which stay as they are while the object is loaded.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, count) };
    for header in headers.iter().filter(|header| is_read_only(header)) {
        drop_pages(info.dlpi_addr, header);
    }
    1
}

fn is_read_only(header: &libc::Elf64_Phdr) -> bool {
    header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0
}

/// The whole pages of a segment. Those that it shares with its neighbours are left alone: they may have been written to.
fn drop_pages(base: libc::Elf64_Addr, header: &libc::Elf64_Phdr) {
    let page = page_size();
    let start = (base + header.p_vaddr).next_multiple_of(page);
    let end = (base + header.p_vaddr + header.p_memsz) / page * page;
    let Some(address) =
        std::ptr::NonNull::new(std::ptr::with_exposed_provenance_mut::<c_void>(start as usize))
    else {
        return;
    };
    if end > start {
        // SAFETY: these pages are a private mapping of the executable's file that is never written to, so the kernel can
        // read each of them again and finds the same bytes. A failure changes nothing.
        let _kept = unsafe { madvise(address, (end - start) as usize, MmapAdvise::MADV_DONTNEED) };
    }
}

fn page_size() -> u64 {
    let known = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    // The largest that a 64-bit Linux has: at worst a few pages are kept.
    known.and_then(|size| u64::try_from(size).ok()).unwrap_or(65536)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident_file_kilobytes() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn code_that_was_given_back_still_runs_and_counts_as_ours_no_more() {
        // Other tests run in this process, and fetch what they need again.
        let is_less = || {
            let before = resident_file_kilobytes();
            give_back_code();
            resident_file_kilobytes() < before
        };
        assert!((0..100).any(|_| is_less()));
    }
}
