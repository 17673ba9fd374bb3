//! As whom the workers run: `--uid` and `--gid`.

use super::World;
use super::reader::Reader;
use crate::config::duration::digits;
use crate::config::env::Environment;
use crate::config::problem::Accepted;
use crate::config::raw::Flags;
use crate::config::setting;
use crate::spec::Identity;

/// A user as the machine knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub user: u32,
    /// Its first group.
    pub group: u32,
}

/// What the machine knows of users and groups.
pub struct Accounts<'a> {
    /// The effective user and group of this process.
    pub ourselves: (u32, u32),
    /// The user of this name or number.
    pub user: &'a dyn Fn(&str) -> Option<Account>,
    /// The group of this name.
    pub group: &'a dyn Fn(&str) -> Option<u32>,
    /// All groups of the user of this name or number, beginning with the given one.
    pub groups: &'a dyn Fn(&str, u32) -> Vec<u32>,
}

const USER: Accepted = Accepted("a user of this machine, by name or number");
const GROUP: Accepted = Accepted("a group of this machine by name, or a number");
const ONLY_ROOT: Accepted = Accepted("who the runtime itself is: only root can run workers as another");
const NEEDS_GROUP: Accepted =
    Accepted("a user of this machine; or a number together with `--gid`, as its first group is not known");

/// A user that was asked for, with its first group where that is known.
struct Asked {
    text: String,
    user: u32,
    group: Option<u32>,
}

/// Reads them; a problem goes to `reader`. `None` where the workers run as we do.
pub(super) fn read(
    reader: &mut Reader,
    flags: &Flags,
    env: &Environment,
    world: &World<'_>,
) -> Option<Identity> {
    let accounts = &world.accounts;
    let asked = reader.text(setting::UID, &flags.uid, &env.pmr_uid, |text| user(text, accounts));
    let given = reader.text(setting::GID, &flags.gid, &env.pmr_gid, |text| group(text, accounts));
    let Some(Asked { text, user, group: first }) = asked else {
        let group = given.filter(|_| is_root(accounts))?;
        return Some(Identity { user: None, group, groups: vec![group] });
    };
    let Some(group) = given.or(first) else {
        reader.refuse_value(setting::UID, &text, NEEDS_GROUP);
        return None;
    };
    let groups = (accounts.groups)(&text, group);
    is_root(accounts).then_some(Identity { user: Some(user), group, groups })
}

fn is_root(accounts: &Accounts<'_>) -> bool {
    accounts.ourselves.0 == 0
}

fn user(text: &str, accounts: &Accounts<'_>) -> Result<Asked, Accepted> {
    let asked = |user, group| Asked { text: text.to_owned(), user, group };
    let found = match ((accounts.user)(text), number(text)) {
        (Some(account), _) => asked(account.user, Some(account.group)),
        (None, Some(user)) => asked(user, None),
        (None, None) => return Err(USER),
    };
    if is_root(accounts) || found.user == accounts.ourselves.0 { Ok(found) } else { Err(ONLY_ROOT) }
}

fn group(text: &str, accounts: &Accounts<'_>) -> Result<u32, Accepted> {
    let found = (accounts.group)(text).or(number(text)).ok_or(GROUP)?;
    if is_root(accounts) || found == accounts.ourselves.1 { Ok(found) } else { Err(ONLY_ROOT) }
}

/// The greatest number means nobody to the kernel.
fn number(text: &str) -> Option<u32> {
    u32::try_from(digits(text)?).ok().filter(|number| *number != u32::MAX)
}
