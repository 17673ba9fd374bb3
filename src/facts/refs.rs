//! The files in which git keeps what is checked out: HEAD, refs, packed-refs. Pure.

use super::known::Revision;

/// What HEAD, or a ref, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Revision(Revision),
    /// The name of another ref, which is safe to be taken for a path: it begins with `refs/` and leads nowhere else.
    Ref(String),
}

/// Reads HEAD or the file of a ref.
pub fn target(content: &[u8]) -> Option<Target> {
    let text = std::str::from_utf8(content).ok()?.trim();
    match text.strip_prefix("ref:") {
        Some(name) => ref_name(name.trim()).map(Target::Ref),
        None => revision(text).map(Target::Revision),
    }
}

/// The branch that a ref is.
pub fn branch(name: &str) -> Option<&str> {
    // Where git keeps its refs in another way ("reftable"), HEAD holds this in place of a name.
    name.strip_prefix("refs/heads/").filter(|branch| *branch != ".invalid")
}

/// Looks a ref up in packed-refs, whose lines are a hash, a space and a name.
pub fn packed(content: &[u8], name: &str) -> Option<Revision> {
    let hash = content.split(|&byte| byte == b'\n').find_map(|line| {
        let hash = line.trim_ascii_end().strip_suffix(name.as_bytes())?.strip_suffix(b" ")?;
        std::str::from_utf8(hash).ok()
    })?;
    revision(hash)
}

/// Where the directory of a worktree or a submodule is, from its `.git` file.
pub fn git_directory(content: &[u8]) -> Option<&[u8]> {
    let path = content.strip_prefix(b"gitdir:")?.trim_ascii();
    (!path.is_empty() && !path.contains(&0)).then_some(path)
}

fn ref_name(name: &str) -> Option<String> {
    let odd =
        |part: &str| part.is_empty() || part == "." || part == ".." || part.chars().any(char::is_control);
    let safe = name.starts_with("refs/") && name.len() <= 1024 && !name.split('/').any(odd);
    safe.then(|| name.to_owned())
}

/// 40 hexadecimal digits (SHA-1) or 64 (SHA-256).
fn revision(hash: &str) -> Option<Revision> {
    let is_hash = matches!(hash.len(), 40 | 64) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let short = hash.get(..7).filter(|_| is_hash)?;
    Some(Revision { full: hash.to_owned(), short: short.to_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

    fn target_of(text: &str) -> Option<Target> {
        target(text.as_bytes())
    }

    #[test]
    fn head_names_a_ref_or_a_commit() {
        assert_eq!(target_of("ref: refs/heads/a/b\n"), Some(Target::Ref("refs/heads/a/b".to_owned())));
        let revision = Revision { full: HASH.to_owned(), short: "0123456".to_owned() };
        assert_eq!(target_of(&format!("{HASH}\n")), Some(Target::Revision(revision)));
        assert!(target_of(&"a".repeat(64)).is_some());
    }

    #[test]
    fn no_ref_leads_out_of_the_repository() {
        for text in [
            "",
            "ref:",
            "ref: /etc/passwd",
            "ref: refs/../../secret",
            "ref: refs/heads/./a",
            "ref: refs//a",
            "ref: refs/a\0b",
            "ref: heads/main",
            "deadbeef",
            &"g".repeat(40),
            &"ä".repeat(20),
        ] {
            assert_eq!(target_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_packed_ref_is_found_by_its_whole_name() {
        let other = "f".repeat(40);
        let packed_refs = format!(
            "# pack-refs with: peeled fully-peeled sorted \n{other} refs/heads/not-main\n{HASH} refs/heads/main\n^{other}\n"
        );
        let find = |name| packed(packed_refs.as_bytes(), name).map(|revision| revision.full);
        assert_eq!(find("refs/heads/main").as_deref(), Some(HASH));
        assert_eq!(find("main"), None);
        assert_eq!(find("refs/heads/mai"), None);
    }

    #[test]
    fn only_heads_are_branches() {
        assert_eq!(branch("refs/heads/a/b"), Some("a/b"));
        assert_eq!((branch("refs/tags/v1"), branch("refs/heads/.invalid")), (None, None));
    }

    #[test]
    fn the_git_file_of_a_worktree_names_a_directory() {
        assert_eq!(git_directory(b"gitdir: ../.git/worktrees/a b\n"), Some(&b"../.git/worktrees/a b"[..]));
        for content in [&b"gitdir:\n"[..], b"", b"x", b"gitdir: a\0b"] {
            assert_eq!(git_directory(content), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(content: Vec<u8>, name: String) {
            let _ = (target(&content), packed(&content, &name), git_directory(&content), target_of(&name));
        }
    }
}
