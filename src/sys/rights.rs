//! What the kernel lets this process do.

/// CAP_SYS_PTRACE, as capability.h numbers it.
const SYS_PTRACE: u32 = 19;

/// Whether we may look into processes of other users.
#[must_use]
pub fn may_look_into_others() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| has(&status, SYS_PTRACE))
}

fn has(status: &str, right: u32) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = effective.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_some_and(|set| set >> right & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_from_the_effective_set() {
        assert!(has("CapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n", SYS_PTRACE));
        assert!(!has("CapPrm:\t000001ffffffffff\nCapEff:\t00000000a80425fb\n", SYS_PTRACE));
        assert!(!has("", SYS_PTRACE));
    }
}
