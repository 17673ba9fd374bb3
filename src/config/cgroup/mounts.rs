//! Where our cgroups are to be found in the file system: /proc/self/cgroup and /proc/self/mountinfo read together.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// A hierarchy of cgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    /// v2's only one.
    Unified,
    /// v1's for CPU time.
    Cpu,
    /// v1's for memory.
    Memory,
}

impl Controller {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Unified => b"",
            Self::Cpu => b"cpu",
            Self::Memory => b"memory",
        }
    }
}

/// A mount of a hierarchy: its part from `root` on is seen at `point`.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    root: PathBuf,
    point: PathBuf,
}

/// The directories of our cgroup and its ancestors in this hierarchy, ours first, the mount point last.
/// Empty where the hierarchy is not mounted or we are not in it.
pub(super) fn directories(cgroup: &[u8], mountinfo: &[u8], controller: Controller) -> Vec<PathBuf> {
    let Some(path) = own_path(cgroup, controller) else { return Vec::new() };
    let mounts: Vec<Mount> = lines(mountinfo).filter_map(|line| mount(line, controller)).collect();
    // Where no mount shows our own part of the hierarchy, its top is the best that can be had.
    let Some((point, below)) =
        mounts.iter().find_map(|mount| Some((&mount.point, below(&path, &mount.root)?))).or_else(|| {
            let first = mounts.first()?;
            Some((&first.point, Path::new("")))
        })
    else {
        return Vec::new();
    };
    below.ancestors().map(|part| point.join(part)).collect()
}

/// What is left of `path` below `root`. `..` (a cgroup outside of our namespace) is matched as text, but never followed.
fn below<'a>(path: &'a Path, root: &Path) -> Option<&'a Path> {
    let rest = path.strip_prefix(root).ok()?;
    rest.components().all(|component| matches!(component, Component::Normal(_))).then_some(rest)
}

/// Our path within the hierarchy. A line is `ID:CONTROLLER,CONTROLLER:PATH`, and v2's is `0::PATH`.
fn own_path(cgroup: &[u8], controller: Controller) -> Option<PathBuf> {
    lines(cgroup).find_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let ours = match controller {
            Controller::Unified => id == b"0" && controllers.is_empty(),
            Controller::Cpu | Controller::Memory => has_word(controllers, controller.name()),
        };
        ours.then(|| PathBuf::from(OsStr::from_bytes(path)))
    })
}

/// A line is `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER-OPTIONS`.
fn mount(line: &[u8], controller: Controller) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ');
    let (root, point) = (words.nth(3)?, words.next()?);
    words.find(|word| *word == b"-")?;
    let (kind, options) = (words.next()?, words.nth(1)?);
    let ours = match controller {
        Controller::Unified => kind == b"cgroup2",
        Controller::Cpu | Controller::Memory => kind == b"cgroup" && has_word(options, controller.name()),
    };
    ours.then(|| Mount { root: unescape(root), point: unescape(point) })
}

fn has_word(list: &[u8], word: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|part| part == word)
}

/// mountinfo writes space, tab, newline and backslash as `\` and three octal digits.
fn unescape(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] if first == b'\\' => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(cgroup: &str, mountinfo: &str, controller: Controller) -> Vec<String> {
        directories(cgroup.as_bytes(), mountinfo.as_bytes(), controller)
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn in_a_cgroup_namespace_the_mount_point_is_ours() {
        let mountinfo = "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n";
        assert_eq!(found("0::/\n", mountinfo, Controller::Unified), ["/sys/fs/cgroup/"]);
    }

    #[test]
    fn without_a_namespace_every_ancestor_is_listed() {
        let mountinfo = "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n";
        assert_eq!(
            found("0::/system.slice/web.service\n", mountinfo, Controller::Unified),
            ["/sys/fs/cgroup/system.slice/web.service", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/"]
        );
    }

    #[test]
    fn a_mount_whose_root_is_our_own_cgroup_shows_it_at_the_mount_point() {
        let cgroup = "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc/inner\n0::/docker/abc\n";
        let mountinfo = "\
            41 40 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
            42 40 0:31 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        assert_eq!(found(cgroup, mountinfo, Controller::Cpu), ["/sys/fs/cgroup/cpu,cpuacct/"]);
        assert_eq!(
            found(cgroup, mountinfo, Controller::Memory),
            ["/sys/fs/cgroup/memory/inner", "/sys/fs/cgroup/memory/"]
        );
        assert_eq!(found(cgroup, mountinfo, Controller::Unified), [""; 0]);
    }

    #[test]
    fn a_cgroup_beside_our_namespace_is_never_reached_by_climbing() {
        let mountinfo = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(found("0::/../../other\n", mountinfo, Controller::Unified), ["/sys/fs/cgroup/"]);
        let outside = "30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            found("0::/../../other\n", outside, Controller::Unified),
            ["/sys/fs/cgroup/other", "/sys/fs/cgroup/"]
        );
    }

    #[test]
    fn the_mount_that_shows_our_part_is_preferred() {
        let mountinfo = "\
            30 23 0:26 /elsewhere /mnt/part rw - cgroup2 cgroup2 rw\n\
            31 23 0:26 / /sys/fs/cg\\040roup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            found("0::/a\n", mountinfo, Controller::Unified),
            ["/sys/fs/cg roup/a", "/sys/fs/cg roup/"]
        );
    }

    #[test]
    fn a_v1_controller_is_told_apart_from_others_with_like_names() {
        let cgroup = "3:cpuset:/wrong\n2:cpuacct:/wrong\n1:cpu:/right\n";
        let mountinfo = "\
            32 31 0:29 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n\
            33 31 0:30 / /cg/cpu rw - cgroup cgroup rw,cpu\n";
        assert_eq!(found(cgroup, mountinfo, Controller::Cpu), ["/cg/cpu/right", "/cg/cpu/"]);
    }

    #[test]
    fn escapes_are_undone_and_stray_backslashes_kept() {
        assert_eq!(unescape(br"a\040b\134c\9\04"), Path::new(r"a b\c\9\04"));
        assert_eq!(unescape(br"\377"), Path::new(OsStr::from_bytes(&[0xff])));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(cgroup: Vec<u8>, mountinfo: Vec<u8>) {
            for controller in [Controller::Unified, Controller::Cpu, Controller::Memory] {
                let _ = directories(&cgroup, &mountinfo, controller);
            }
        }

        #[test]
        fn no_likely_words_make_it_panic_or_leave_the_mount(
            cgroup in "(0::|1:cpu:|2:memory,x:)(/|\\.\\.|a|b){0,8}\n?",
            root in "(/|\\.\\.|a|b|\\\\040){0,6}",
            kind in "(cgroup|cgroup2)",
        ) {
            let mountinfo = format!("1 2 0:1 {root} /cg rw - {kind} x rw,cpu,memory\n");
            for controller in [Controller::Unified, Controller::Cpu, Controller::Memory] {
                for directory in directories(cgroup.as_bytes(), mountinfo.as_bytes(), controller) {
                    prop_assert!(directory.starts_with("/cg"), "{directory:?}");
                    prop_assert!(!directory.components().any(|part| part == Component::ParentDir), "{directory:?}");
                }
            }
        }
    }
}
