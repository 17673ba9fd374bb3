//! Who users are, by /etc/passwd. (The C library's own way loads code at run time, which a static program cannot.)

use std::path::PathBuf;

const USERS: &str = "/etc/passwd";

/// The users of this machine, as text; none where they cannot be read.
#[must_use]
pub fn database() -> String {
    std::fs::read_to_string(USERS).unwrap_or_default()
}

/// The name of a user, else `user 1000`.
#[must_use]
pub fn name_of(uid: u32, database: &str) -> String {
    let fields = entries(database).find(|fields| fields.get(2).is_some_and(|id| id.parse() == Ok(uid)));
    fields.map_or_else(|| format!("user {uid}"), |fields| fields[0].to_owned())
}

/// The home directory of a user.
#[must_use]
pub fn directory_of(name: &str, database: &str) -> Option<PathBuf> {
    let fields = entries(database).find(|fields| fields[0] == name)?;
    fields.get(5).filter(|directory| directory.starts_with('/')).map(PathBuf::from)
}

fn entries(database: &str) -> impl Iterator<Item = Vec<&str>> {
    database.lines().map(|line| line.split(':').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATABASE: &str = "root:x:0:0:root:/root:/bin/sh\n\nnode:x:1000:1000::/home/node:/bin/sh\nodd:x:7\n";

    #[test]
    fn a_user_is_named_as_the_system_names_it() {
        assert_eq!(name_of(1000, DATABASE), "node");
        assert_eq!(name_of(7, DATABASE), "odd");
        assert_eq!(name_of(8, DATABASE), "user 8");
    }

    #[test]
    fn a_user_has_a_home() {
        assert_eq!(directory_of("node", DATABASE), Some("/home/node".into()));
        assert_eq!(directory_of("odd", DATABASE), None);
        assert_eq!(directory_of("nobody", DATABASE), None);
    }
}
