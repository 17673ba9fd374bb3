//! Which processes belong to which worker. Pure: from all processes of one moment and the workers among them.

use std::collections::{HashMap, HashSet};

use super::proc::Stat;
use crate::process::Pid;

/// Every process that could be read.
pub(super) type Processes = HashMap<Pid, Stat>;

/// The tree of each root that is there, the root first. A process belongs to the nearest root above it, so none is in
/// two trees.
///
/// The processes were read one after the other, so the picture may contradict itself where a pid was used again in
/// between. A child that is older than its parent shows that, and is left out.
pub(super) fn trees(processes: &Processes, roots: impl IntoIterator<Item = Pid>) -> HashMap<Pid, Vec<Pid>> {
    let roots: HashSet<Pid> = roots.into_iter().filter(|root| processes.contains_key(root)).collect();
    let children = children(processes);
    let tree = |&root: &Pid| (root, descend(root, &children, &roots));
    roots.iter().map(tree).collect()
}

fn children(processes: &Processes) -> HashMap<Pid, Vec<Pid>> {
    let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for (&pid, process) in processes {
        let Some(parent) = process.parent else { continue };
        if processes.get(&parent).is_some_and(|parent| parent.started <= process.started) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

fn descend(root: Pid, children: &HashMap<Pid, Vec<Pid>>, roots: &HashSet<Pid>) -> Vec<Pid> {
    // Every process has one parent, so nothing is met twice unless a root descends from itself, and roots are passed over.
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        let below = children.get(parent).into_iter().flatten();
        found.extend(below.filter(|child| !roots.contains(child)).copied().collect::<Vec<_>>());
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::proc::{Life, Ticks};
    use super::*;

    fn processes(list: &[(i32, i32, u64)]) -> Processes {
        let process = |&(pid, parent, started): &(i32, i32, u64)| {
            let stat = Stat {
                parent: (parent > 0).then(|| Pid::new(parent)),
                life: Life::Runs,
                own: Ticks(0),
                children: Ticks(0),
                threads: 1,
                started: Ticks(started),
            };
            (Pid::new(pid), stat)
        };
        list.iter().map(process).collect()
    }

    #[track_caller]
    fn assert_tree(trees: &HashMap<Pid, Vec<Pid>>, root: i32, expected: &[i32]) {
        let mut found: Vec<i32> = trees[&Pid::new(root)].iter().map(|pid| pid.as_raw()).collect();
        assert_eq!(found[0], root);
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_tree_holds_all_descendants_and_no_orphan_of_ours() {
        let list = [
            (1, 0, 1),
            (10, 1, 2),
            (11, 10, 3),
            (12, 11, 4),
            (13, 11, 4),
            (20, 1, 2),
            (21, 20, 3),
            (30, 1, 9),
        ];
        let trees = trees(&processes(&list), [10, 20, 99].map(Pid::new));
        assert_eq!(trees.len(), 2);
        assert_tree(&trees, 10, &[10, 11, 12, 13]);
        assert_tree(&trees, 20, &[20, 21]);
    }

    #[test]
    fn a_root_below_a_root_has_its_own_tree() {
        let trees = trees(&processes(&[(10, 1, 1), (11, 10, 1), (12, 11, 1)]), [10, 11].map(Pid::new));
        assert_tree(&trees, 10, &[10]);
        assert_tree(&trees, 11, &[11, 12]);
    }

    #[test]
    fn a_child_older_than_its_parent_is_another_processs() {
        let trees = trees(&processes(&[(10, 1, 5), (11, 10, 4), (12, 10, 5)]), [Pid::new(10)]);
        assert_tree(&trees, 10, &[10, 12]);
    }

    proptest! {
        #[test]
        fn whatever_the_kernel_shows_no_process_is_counted_twice(
            list in prop::collection::vec((1..12_i32, 0..12_i32, 0..3_u64), 0..30),
            roots in prop::collection::vec(1..12_i32, 0..4),
        ) {
            let trees = trees(&processes(&list), roots.into_iter().map(Pid::new));
            let mut members: Vec<Pid> = trees.into_values().flatten().collect();
            let all = members.len();
            members.sort_unstable();
            members.dedup();
            prop_assert_eq!(all, members.len());
        }
    }
}
