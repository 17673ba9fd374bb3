//! Whom the kernel ends first when memory is used up: a worker, and not us, with whom all of them would end.
//!
//! The kernel ends the process that has most, of those that share the limit, and counts for each what is in its `oom_score_adj`: so many
//! thousandths of the limit are added to what it has. Workers that are smaller than we are would be safe from it at our cost, so
//! they are counted as a bit larger than they are, and no more than that: where the memory of the whole machine is used up, they
//! stand beside the processes of others, and thousandths are large there.

use std::fs;

use nix::sys::sysinfo::sysinfo;

/// What a worker is counted to have more than it has: several times what we have ourselves.
const HANDICAP: u64 = 16 << 20;

/// Those that the kernel never ends have this. Whoever starts us so wants it of all.
const NEVER: i16 = -1000;
/// Nobody can have more.
const MOST: i16 = 1000;

/// The `oom_score_adj` that a worker is to have; `limit` says how many bytes of memory there are for us and it, where that is not
/// all that the machine has. `None` where it keeps ours.
#[must_use]
pub fn of_worker(limit: Option<u64>) -> Option<i16> {
    let own = fs::read_to_string("/proc/self/oom_score_adj").ok()?.trim().parse().ok()?;
    let limit = limit.or_else(|| sysinfo().ok().map(|machine| machine.ram_total()))?;
    raised(own, limit)
}

/// More than `own`, as any process may have without rights.
fn raised(own: i16, limit: u64) -> Option<i16> {
    if own <= NEVER || own >= MOST {
        return None;
    }
    let thousandths = HANDICAP.saturating_mul(1000).div_ceil(limit.max(1));
    let more = i16::try_from(thousandths).unwrap_or(MOST);
    Some(own.saturating_add(more).min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_counts_as_16_mebibytes_larger_than_it_is() {
        for (limit, adjustment) in [(128 << 20, 125), (512 << 20, 32), (1 << 30, 16), (64 << 30, 1)] {
            assert_eq!(raised(0, limit), Some(adjustment), "{limit}");
        }
    }

    #[test]
    fn it_starts_from_what_we_were_given() {
        assert_eq!(raised(500, 512 << 20), Some(532));
        assert_eq!(raised(-997, 512 << 20), Some(-965));
        assert_eq!(raised(990, 512 << 20), Some(1000));
        assert_eq!(raised(0, 0), Some(1000));
    }

    #[test]
    fn who_is_never_to_be_ended_or_always_first_stays_so() {
        assert_eq!(raised(-1000, 512 << 20), None);
        assert_eq!(raised(1000, 512 << 20), None);
    }

    #[test]
    fn where_no_limit_is_known_the_machines_memory_counts() {
        let own: i16 = fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap();
        assert!(of_worker(None).is_none_or(|adjustment| adjustment > own));
    }
}
