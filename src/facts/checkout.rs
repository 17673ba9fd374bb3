//! Finds the git checkout that a directory lies in, and reads what is checked out. git itself is not asked: it may not
//! be there, and starts a process.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::file;
use super::git_config;
use super::known::{Git, Revision};
use super::refs::{self, Target};
use super::remote;

/// Refs may name refs; git itself follows five.
const MAX_DEPTH: usize = 5;

/// A repository with ten thousand branches has a packed-refs of less than a megabyte.
const PACKED_REFS_LIMIT: u64 = 4 << 20;

/// The checkout that `directory` or one above it is the root of.
pub(super) fn find(directory: &Path) -> Option<Git> {
    directory.ancestors().find_map(read)
}

/// Where git keeps what belongs to one checkout, and what all worktrees of a repository share.
struct Repository {
    own: PathBuf,
    common: PathBuf,
}

fn read(root: &Path) -> Option<Git> {
    let repository = Repository::of(root)?;
    let head = refs::target(&file::read(&repository.own.join("HEAD"), file::LIMIT)?)?;
    let branch = match &head {
        Target::Ref(name) => refs::branch(name).map(str::to_owned),
        Target::Revision(_) => None,
    };
    let config = file::read(&repository.common.join("config"), file::LIMIT).unwrap_or_default();
    let url = git_config::remote(&config, branch.as_deref());
    Some(Git {
        revision: repository.resolve(head),
        branch,
        remote: url.and_then(|url| remote::without_credentials(&url)),
        root: root.display().to_string(),
    })
}

impl Repository {
    /// `.git` is a directory, or a file that names one, as in worktrees and submodules.
    fn of(root: &Path) -> Option<Self> {
        let dot_git = root.join(".git");
        let own = match file::read(&dot_git, file::LIMIT) {
            Some(content) => root.join(OsStr::from_bytes(refs::git_directory(&content)?)),
            None => dot_git,
        };
        let common = file::read(&own.join("commondir"), file::LIMIT);
        let common = common.map_or(own.clone(), |path| own.join(OsStr::from_bytes(path.trim_ascii())));
        Some(Self { own, common })
    }

    fn resolve(&self, mut target: Target) -> Option<Revision> {
        for _ in 0..=MAX_DEPTH {
            match target {
                Target::Revision(revision) => return Some(revision),
                Target::Ref(name) => target = self.look_up(&name)?,
            }
        }
        None
    }

    fn look_up(&self, name: &str) -> Option<Target> {
        // A worktree has a few refs of its own; branches are shared.
        let loose = [&self.own, &self.common]
            .into_iter()
            .find_map(|directory| refs::target(&file::read(&directory.join(name), file::LIMIT)?));
        loose.or_else(|| {
            let packed = file::read(&self.common.join("packed-refs"), PACKED_REFS_LIMIT)?;
            refs::packed(&packed, name).map(Target::Revision)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef01234567";
    const CONFIG: &str = "[remote \"origin\"]\n\turl = https://token@example.org/a.git\n";

    fn directory_with(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, content) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    #[track_caller]
    fn assert_found(root: &TempDir, directory: &str, branch: Option<&str>, revision: Option<&str>) -> Git {
        let git = find(&root.path().join(directory)).unwrap();
        assert_eq!(git.branch.as_deref(), branch);
        assert_eq!(git.revision.as_ref().map(|revision| revision.full.as_str()), revision);
        git
    }

    #[test]
    fn a_branch_is_found_from_below_with_its_commit_and_remote() {
        let root = directory_with(&[
            (".git/HEAD", "ref: refs/heads/f/x\n"),
            (".git/refs/heads/f/x", HASH),
            (".git/config", CONFIG),
            ("src/deep/server.js", ""),
        ]);
        let git = assert_found(&root, "src/deep", Some("f/x"), Some(HASH));
        assert_eq!(git.remote.as_deref(), Some("https://example.org/a.git"));
        assert_eq!(git.root, root.path().display().to_string());
    }

    #[test]
    fn a_packed_branch_a_lone_commit_and_an_empty_repository_are_found() {
        let head = (".git/HEAD", "ref: refs/heads/main\n");
        let packed = format!("# pack-refs\n{HASH} refs/heads/main\n");
        assert_found(&directory_with(&[head, (".git/packed-refs", &packed)]), "", Some("main"), Some(HASH));
        assert_found(&directory_with(&[(".git/HEAD", HASH)]), "", None, Some(HASH));
        assert_found(&directory_with(&[head]), "", Some("main"), None);
    }

    #[test]
    fn a_worktree_is_found_through_its_file() {
        let root = directory_with(&[
            ("main/.git/HEAD", "ref: refs/heads/main\n"),
            ("main/.git/refs/heads/side", HASH),
            ("main/.git/config", CONFIG),
            ("main/.git/worktrees/side/HEAD", "ref: refs/heads/side\n"),
            ("main/.git/worktrees/side/commondir", "../..\n"),
            ("side/.git", "gitdir: ../main/.git/worktrees/side\n"),
        ]);
        let git = assert_found(&root, "side", Some("side"), Some(HASH));
        assert!(git.remote.is_some());
    }

    #[test]
    fn what_is_no_repository_is_passed_over() {
        let root = directory_with(&[
            (".git/HEAD", "ref: refs/heads/main\n"),
            ("a/.git/x", ""),
            ("b/.git", "gitdir: nowhere\n"),
            ("c/.git/HEAD", "ref: /etc/passwd\n"),
        ]);
        fs::create_dir(root.path().join("d")).unwrap();
        symlink(".git", root.path().join("d/.git")).unwrap();
        for directory in ["a", "b", "c", "d", "absent"] {
            assert_found(&root, directory, Some("main"), None);
        }
    }

    #[test]
    fn refs_that_name_each_other_end() {
        let root = directory_with(&[
            (".git/HEAD", "ref: refs/heads/a\n"),
            (".git/refs/heads/a", "ref: refs/heads/b\n"),
            (".git/refs/heads/b", "ref: refs/heads/a\n"),
        ]);
        assert_found(&root, "", Some("a"), None);
    }

    /// Runs git where there is one, and gives what it prints.
    fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]);
        // Set where the tests are run from a hook of git's: they would lead to this repository.
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(variable);
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = command.args(arguments).current_dir(directory).output().ok()?;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    #[test]
    fn gits_own_repositories_are_read_as_git_reads_them() {
        let root = tempfile::tempdir().unwrap();
        if git(root.path(), &["init", "-q"]).is_none() {
            return;
        }
        git(root.path(), &["commit", "-q", "--allow-empty", "-m", "a"]);
        git(root.path(), &["remote", "add", "origin", "https://u:p@example.org/a"]);
        let hash = git(root.path(), &["rev-parse", "HEAD"]);
        let first = assert_found(&root, "", Some("main"), hash.as_deref());
        assert_eq!(first.remote.as_deref(), Some("https://example.org/a"));
        git(root.path(), &["worktree", "add", "-q", "-b", "side", "tree"]);
        git(root.path(), &["pack-refs", "--all"]);
        assert_found(&root, "", Some("main"), hash.as_deref());
        assert_found(&root, "tree", Some("side"), hash.as_deref());
        git(root.path(), &["checkout", "-q", "--detach"]);
        assert_found(&root, "", None, hash.as_deref());
    }
}
