//! The address of a remote, without what nobody else should read. Pure.
//!
//! People put passwords and tokens into such addresses. What may hold one is left out; an address of which that cannot
//! be told is not shown at all.

use super::known::showable;

/// The address as it may be shown. The name of an ssh user stays, since it is no secret (it is mostly `git`).
pub fn without_credentials(url: &str) -> Option<String> {
    let url = showable(url)?;
    match url.split_once("://") {
        Some((scheme, rest)) => with_scheme(scheme, rest),
        None => without_scheme(&url),
    }
}

fn with_scheme(scheme: &str, rest: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if scheme.is_empty() || !scheme.chars().all(plain) {
        return None;
    }
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    // A password with a slash in it cuts the address short, and its rest is taken for a path.
    if !is_host(host) || tail.contains('@') {
        return None;
    }
    // A query or a fragment is no part of git's addresses, but a place for tokens.
    let path = tail.split(['?', '#']).next().unwrap_or_default();
    let is_ssh = scheme.to_ascii_lowercase().contains("ssh");
    let user = user.filter(|_| is_ssh).and_then(|user| user.split(':').next());
    Some(match user {
        Some(user) => format!("{scheme}://{user}@{host}{path}"),
        None => format!("{scheme}://{host}{path}"),
    })
}

/// A host with or without a port, or nothing at all, as in `file:///srv`.
fn is_host(host: &str) -> bool {
    let of_name = |c: char| c.is_alphanumeric() || "-._".contains(c);
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.chars().all(|c| c.is_ascii_hexdigit() || ":.".contains(c)) => {
            ("", port)
        }
        _ => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    name.chars().all(of_name) && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// A path, or scp's `user@host:path`.
fn without_scheme(url: &str) -> Option<String> {
    let is_path = url.starts_with(['/', '.']);
    let user_is_plain = match url.split_once('@') {
        Some((user, rest)) => !user.contains([':', '/']) && !rest.contains('@'),
        None => true,
    };
    // `ext::command` and the like have anything after them.
    (is_path || user_is_plain && !url.contains("::")).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("https://example.org/a/b.git", Some("https://example.org/a/b.git")),
            ("https://user:secret@example.org:8443/a", Some("https://example.org:8443/a")),
            ("https://secret@example.org/a", Some("https://example.org/a")),
            ("https://user:se@cret@example.org/a", Some("https://example.org/a")),
            ("https://user:se/cret@example.org/a", None),
            ("https://user:0/secret@example.org/a", None),
            ("https://sec/ret@example.org/a", None),
            ("https://example.org/a?token=secret", Some("https://example.org/a")),
            ("https://example.org/a#secret", Some("https://example.org/a")),
            ("ssh://git:secret@example.org:22/a", Some("ssh://git@example.org:22/a")),
            ("git+ssh://git@example.org/a", Some("git+ssh://git@example.org/a")),
            ("http://u:secret@[::1]:80/a", Some("http://[::1]:80/a")),
            ("file:///srv/a.git", Some("file:///srv/a.git")),
            ("git@example.org:a/b.git", Some("git@example.org:a/b.git")),
            ("user:secret@example.org/a", None),
            ("/srv/a@b.git", Some("/srv/a@b.git")),
            ("../a.git", Some("../a.git")),
            ("ext::sh -c secret", None),
            ("x::https://user:secret@example.org/a", None),
            ("://a", None),
            ("", None),
        ] {
            assert_eq!(without_credentials(url).as_deref(), shown, "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(url: String, pieces in "(https?|ssh|://|@|:|/|\\[|\\]|\\?|#|a|1|::){0,16}") {
            let _ = (without_credentials(&url), without_credentials(&pieces));
        }

        #[test]
        fn a_password_is_never_shown(
            scheme in "https?|ssh|git|ftp",
            user in "[a-z:@%]{0,6}",
            head in "[0-9/@]{0,3}",
            tail in "[a-z0-9@:%./?#-]{0,12}",
            path in "[a-z/@]{0,8}",
        ) {
            let shown = without_credentials(&format!("{scheme}://{user}:{head}SECRET{tail}@example.org/{path}"));
            prop_assert!(!shown.unwrap_or_default().contains("SECRET"));
        }
    }
}
