//! The newest crashes, and how many of each kind there have been. Bounded: a crash loop pushes out nothing but itself.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::api::crash::{CrashDetail, CrashView, LastCrashView};

/// How many records are kept, each of some 10 kB at most.
const MOST: usize = 50;
/// How many of one fingerprint.
const MOST_ALIKE: usize = 5;
/// How many fingerprints are counted.
const MOST_GROUPS: usize = 100;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Crashes {
    /// Oldest first.
    records: VecDeque<CrashDetail>,
    groups: BTreeMap<String, Group>,
    /// The number of the last one.
    last_id: u64,
}

/// Crashes that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Group {
    count: u64,
    first_at_ms: u64,
    /// The number of the last one.
    last_id: u64,
}

impl Crashes {
    /// Whether there was none yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last_id == 0
    }

    /// Keeps a new one, and gives it as it is kept: with its number, and how many there were.
    pub fn add(&mut self, mut record: CrashDetail) -> CrashDetail {
        self.last_id += 1;
        let crash = &mut record.crash;
        crash.id = self.last_id;
        let new = Group { count: 0, first_at_ms: crash.at_ms, last_id: 0 };
        let group = self.groups.entry(crash.fingerprint.clone()).or_insert(new);
        group.count += 1;
        group.last_id = crash.id;
        (crash.count, crash.first_at_ms) = (group.count, group.first_at_ms);
        self.records.push_back(record.clone());
        self.make_room(&record.crash.fingerprint);
        record
    }

    fn make_room(&mut self, fingerprint: &str) {
        let alike = |record: &CrashDetail| record.crash.fingerprint == fingerprint;
        if self.records.iter().filter(|record| alike(record)).count() > MOST_ALIKE
            && let Some(oldest) = self.records.iter().position(alike)
        {
            self.records.remove(oldest);
        }
        if self.records.len() > MOST {
            self.records.pop_front();
        }
        if self.groups.len() > MOST_GROUPS
            && let Some(oldest) =
                self.groups.iter().min_by_key(|(_, group)| group.last_id).map(|(name, _)| name.clone())
        {
            self.groups.remove(&oldest);
        }
    }

    /// All that are kept, newest first.
    #[must_use]
    pub fn views(&self) -> Vec<CrashView> {
        self.records.iter().rev().map(|record| self.current(&record.crash)).collect()
    }

    /// The one of this number, if it is still kept.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<CrashDetail> {
        let record = self.records.iter().find(|record| record.crash.id == id)?;
        Some(CrashDetail { crash: self.current(&record.crash), ..record.clone() })
    }

    /// The last one of an app.
    #[must_use]
    pub fn last_of(&self, app_id: u32) -> Option<LastCrashView> {
        let record = self.records.iter().rev().find(|record| record.crash.app_id == app_id)?;
        let CrashView { id, at_ms, instance, cause, summary, count, .. } = self.current(&record.crash);
        Some(LastCrashView { id, at_ms, instance, cause, summary, count })
    }

    /// With those that have come since.
    fn current(&self, crash: &CrashView) -> CrashView {
        let count = self.groups.get(&crash.fingerprint).map_or(crash.count, |group| group.count);
        CrashView { count, ..crash.clone() }
    }
}

#[cfg(test)]
mod tests;
