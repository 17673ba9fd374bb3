//! The machine's users and groups, for those who run workers as another.
//!
//! Read from /etc/passwd and /etc/group: what a directory service knows beyond these would need the C library's plug-ins, which
//! a program that is linked statically cannot load.

use std::path::Path;

use nix::unistd::{getegid, geteuid};

use super::resolve::{Account, Accounts};

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// As they are in the files at the moment of a question.
pub(super) fn of_this_machine() -> Accounts<'static> {
    Accounts {
        ourselves: (geteuid().as_raw(), getegid().as_raw()),
        user: &|text| user(&read(USERS), text).map(|(_, account)| account),
        group: &|name| group(&read(GROUPS), name),
        groups: &|text, first| groups(&read(USERS), &read(GROUPS), text, first),
    }
}

/// A machine without the file knows nobody.
fn read(path: &str) -> String {
    let bytes = std::fs::read(Path::new(path)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The user of this name, else of this number, with its name.
fn user<'a>(users: &'a str, text: &str) -> Option<(&'a str, Account)> {
    let entries = || {
        users.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| !name.is_empty())?;
            let user = fields.nth(1)?.parse().ok()?;
            Some((name, Account { user, group: fields.next()?.parse().ok()? }))
        })
    };
    let number = text.parse();
    let by_name = entries().find(|(name, _)| *name == text);
    by_name.or_else(|| entries().find(|(_, account)| number == Ok(account.user)))
}

/// Name, number and members.
fn group_entries(groups: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    groups.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        Some((name, fields.nth(1)?.parse().ok()?, fields.next().unwrap_or_default()))
    })
}

fn group(groups: &str, wanted: &str) -> Option<u32> {
    group_entries(groups).find(|(name, ..)| *name == wanted).map(|(_, number, _)| number)
}

/// Who is not known is in the first group alone.
fn groups(users: &str, groups: &str, text: &str, first: u32) -> Vec<u32> {
    let mut all = vec![first];
    let Some((name, _)) = user(users, text) else { return all };
    for (_, number, members) in group_entries(groups) {
        if members.split(',').any(|member| member == name) && !all.contains(&number) {
            all.push(number);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# odd\nwww:x:33:34::/var/www:/bin/false\n\n7:x:70:71::/:/bin/sh\ncut:x\n";
    const GROUP: &str =
        "root:x:0:\ndocker:x:999:root,www\nwwwish:x:998:www-data\nwww:x:34:www\nadm:x:4:www\ncut\n";

    #[test]
    fn a_user_is_found_by_name_and_then_by_number() {
        let account = |user, group| Some(Account { user, group });
        let found = |text| user(PASSWD, text).map(|(_, account)| account);
        assert_eq!(found("www"), account(33, 34));
        assert_eq!(found("33"), account(33, 34));
        assert_eq!(found("7"), account(70, 71), "a name may look like a number");
        for unknown in ["", "ww", "34", "cut", "# odd"] {
            assert_eq!(found(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_groups_of_a_user_are_the_first_and_those_that_name_it() {
        assert_eq!(groups(PASSWD, GROUP, "www", 34), [34, 999, 4]);
        assert_eq!(groups(PASSWD, GROUP, "33", 5), [5, 999, 34, 4]);
        assert_eq!(groups(PASSWD, GROUP, "4321", 5), [5]);
        assert_eq!((group(GROUP, "docker"), group(GROUP, "nobody")), (Some(999), None));
    }
}
