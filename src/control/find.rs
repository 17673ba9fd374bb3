//! Looks for the sockets of runtimes.
//!
//! A socket that is found need not be answered, nor be whom it seems to be: whoever connects asks the kernel who is at
//! the other end (see `peer`).

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::place::{Candidate, Place};

/// More are not looked at: /tmp may be filled by others.
const MOST: usize = 256;

/// The sockets that there are in `candidates`, in their order, none twice. In a directory `pmr.sock` comes first.
#[must_use]
pub fn find_all(candidates: &[Candidate]) -> Vec<Place> {
    let mut found = Vec::new();
    for place in candidates.iter().flat_map(places) {
        if !found.contains(&place) {
            found.push(place);
        }
    }
    found
}

fn places(candidate: &Candidate) -> Vec<Place> {
    let files = match candidate {
        Candidate::Home(path) if is_socket(path) => vec![path.clone()],
        Candidate::Home(path) | Candidate::Directory(path) => sockets_in(path),
        Candidate::EachUser { parent, prefix, rest } => directories_of_users(parent, prefix)
            .iter()
            .flat_map(|user| sockets_in(&user.join(rest)))
            .collect(),
        Candidate::Abstract(name) => return abstract_names(name),
    };
    files.into_iter().map(Place::File).collect()
}

fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

fn sockets_in(directory: &Path) -> Vec<PathBuf> {
    let names = names_in(directory, |name| {
        let middle = name.strip_prefix("pmr").and_then(|rest| rest.strip_suffix(".sock"));
        middle.is_some_and(|middle| middle.is_empty() || middle.strip_prefix('-').is_some_and(is_number))
    });
    names.into_iter().map(|name| directory.join(name)).filter(|path| is_socket(path)).collect()
}

fn directories_of_users(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let names = names_in(parent, |name| name.strip_prefix(prefix).is_some_and(is_number));
    names.into_iter().map(|name| parent.join(name)).collect()
}

/// The names that fit, shortest first and then sorted: the plain one, then by number.
fn names_in(directory: &Path, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| fits(name)).take(MOST).collect();
    names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    names
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Those that the kernel lists; where it tells nothing, the plain name, which costs only an attempt.
fn abstract_names(name: &str) -> Vec<Place> {
    let plain = || vec![name.to_owned()];
    let names = fs::read_to_string("/proc/net/unix").map_or_else(|_| plain(), |table| listed(&table, name));
    names.into_iter().map(Place::Abstract).collect()
}

/// The names of listening sockets in `table`, which are `name`, or begin with it and `-`.
fn listed(table: &str, name: &str) -> Vec<String> {
    let fits =
        |found: &&str| found.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let path = |line: &'_ str| line.split_ascii_whitespace().nth(7).map(str::to_owned);
    let all: Vec<String> = table.lines().filter_map(path).collect();
    let mut names: Vec<&str> = all.iter().filter_map(|path| path.strip_prefix('@')).filter(fits).collect();
    names.sort_by_key(|name| (name.len(), *name));
    // The connections of a socket are listed under its name as well.
    names.dedup();
    names.into_iter().take(MOST).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn the_plain_socket_comes_first_and_what_is_no_socket_never() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let _sockets: Vec<_> = ["pmr-12.sock", "pmr.sock", "pmr-9.sock", "pmr-x.sock", "other.sock"]
            .map(|name| UnixListener::bind(path(name)).unwrap())
            .into();
        fs::write(path("pmr-1.sock"), "").unwrap();
        let home = Candidate::Home(directory.path().to_owned());
        let same = Candidate::Directory(directory.path().to_owned());
        let expected = ["pmr.sock", "pmr-9.sock", "pmr-12.sock"].map(|name| Place::File(path(name)));
        assert_eq!(find_all(&[same, home]), expected);
        assert_eq!(find_all(&[Candidate::Home(path("pmr-9.sock"))]), [Place::File(path("pmr-9.sock"))]);
        assert_eq!(find_all(&[Candidate::Home("/nowhere".into())]), []);
    }

    #[test]
    fn the_directories_of_all_users_are_looked_into() {
        let directory = tempfile::tempdir().unwrap();
        let user = directory.path().join("pmr-1000");
        fs::create_dir(&user).unwrap();
        fs::create_dir(directory.path().join("pmr-build")).unwrap();
        let _socket = UnixListener::bind(user.join("pmr.sock")).unwrap();
        let parent = directory.path().to_owned();
        let found = find_all(&[Candidate::EachUser { parent, prefix: "pmr-", rest: "" }]);
        assert_eq!(found, [Place::File(user.join("pmr.sock"))]);
    }

    #[test]
    fn abstract_names_are_read_from_the_kernels_table() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 2861 @pmr-0-7-12
0000000000000000: 00000003 00000000 00000000 0001 03 2862 @pmr-0-7
0000000000000000: 00000002 00000000 00010000 0001 01 2863 @pmr-0-7
0000000000000000: 00000002 00000000 00010000 0001 01 2864 @pmr-0-77
0000000000000000: 00000002 00000000 00010000 0001 01 2865 /run/pmr-0-7
0000000000000000: 00000002 00000000 00010000 0001 01 2866";
        assert_eq!(listed(table, "pmr-0-7"), ["pmr-0-7", "pmr-0-7-12"]);
    }
}
