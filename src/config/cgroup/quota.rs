//! A share of CPU time as the kernel keeps it: so much time in each period.

use std::cmp::Ordering;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

/// `quota` microseconds of CPU time in every `period` microseconds.
#[derive(Debug, Clone, Copy)]
pub struct CpuQuota {
    quota: NonZeroU64,
    period: NonZeroU64,
}

impl CpuQuota {
    /// A quota in microseconds; `None` where one of the numbers is zero, which the kernel never shows.
    #[must_use]
    pub fn new(quota: u64, period: u64) -> Option<Self> {
        Some(Self { quota: NonZeroU64::new(quota)?, period: NonZeroU64::new(period)? })
    }

    /// How many CPUs' time it is.
    #[must_use]
    pub fn share(self) -> f64 {
        let per_million = u128::from(self.quota.get()) * 1_000_000 / u128::from(self.period.get());
        f64::from(u32::try_from(per_million).unwrap_or(u32::MAX)) / 1e6
    }

    /// The CPUs that it takes to use the quota up.
    #[must_use]
    pub fn cpus(self) -> NonZeroU32 {
        let cpus = self.quota.get().div_ceil(self.period.get());
        u32::try_from(cpus).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX)
    }
}

impl Ord for CpuQuota {
    fn cmp(&self, other: &Self) -> Ordering {
        let product =
            |quota: NonZeroU64, period: NonZeroU64| u128::from(quota.get()) * u128::from(period.get());
        product(self.quota, other.period).cmp(&product(other.quota, self.period))
    }
}

impl PartialOrd for CpuQuota {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for CpuQuota {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for CpuQuota {}

/// In CPUs, with at most two decimals: `1.5`.
impl fmt::Display for CpuQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = (u128::from(self.quota.get()) * 100).div_ceil(u128::from(self.period.get()));
        write!(f, "{}", hundredths / 100)?;
        match hundredths % 100 {
            0 => Ok(()),
            tenths if tenths % 10 == 0 => write!(f, ".{}", tenths / 10),
            hundredths => write!(f, ".{hundredths:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_shown_in_cpus_and_rounded_up_to_whole_ones() {
        for (quota, period, shown, cpus) in [
            (150_000, 100_000, "1.5", 2),
            (200_000, 100_000, "2", 2),
            (5_000, 100_000, "0.05", 1),
            (33_333, 100_000, "0.34", 1),
            (1_000_001, 1_000_000, "1.01", 2),
        ] {
            let quota = CpuQuota::new(quota, period).unwrap();
            assert_eq!((quota.to_string().as_str(), quota.cpus().get()), (shown, cpus));
        }
        assert!((CpuQuota::new(150_000, 100_000).unwrap().share() - 1.5).abs() < 1e-9);
        assert!(CpuQuota::new(u64::MAX, 1).unwrap().share() > 4000.0);
        assert_eq!(CpuQuota::new(u64::MAX, 1).unwrap().cpus(), NonZeroU32::MAX);
        assert_eq!(CpuQuota::new(0, 1), None);
        assert_eq!(CpuQuota::new(1, 0), None);
    }

    #[test]
    fn quotas_with_different_periods_compare_by_their_share() {
        let quota = |quota, period| CpuQuota::new(quota, period).unwrap();
        assert!(quota(150_000, 100_000) < quota(20_000, 10_000));
        assert_eq!(quota(2, 1), quota(4, 2));
    }
}
