//! Where the control socket is: the places that a runtime tries to put it, and those where a client looks.
//!
//! Pure but for [`Surroundings::of`], which asks the kernel who we are. `bind` makes the socket, `find` looks for it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where a socket is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    File(PathBuf),
    /// In the abstract namespace, by its name without the leading NUL.
    Abstract(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

impl Place {
    /// As it is displayed.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text.strip_prefix('@') {
            Some(name) => Self::Abstract(name.to_owned()),
            None => Self::File(PathBuf::from(text)),
        }
    }
}

/// What may hold sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate {
    /// A directory that was named to us, or a socket's file. It is made with the directories above it, and may be a
    /// symbolic link: whoever named it meant it.
    Home(PathBuf),
    /// A directory in a place where others may write as well, so that a link there is not followed.
    Directory(PathBuf),
    /// The directories `parent/prefix-NUMBER/rest`, one for each user. Only for looking.
    EachUser { parent: PathBuf, prefix: &'static str, rest: &'static str },
    /// Names in the abstract namespace that are this one, or begin with it and `-`.
    Abstract(String),
}

/// All that decides where the socket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// `--home`, else PMR_HOME.
    pub home: Option<PathBuf>,
    /// XDG_RUNTIME_DIR.
    pub runtime_directory: Option<PathBuf>,
    /// HOME.
    pub user_directory: Option<PathBuf>,
    pub uid: u32,
    /// Tells containers apart that share one network, and so one abstract namespace: the inode of their pid namespace.
    pub namespace: u64,
}

impl Surroundings {
    /// Those of this process, with `environment` as its environment; `home` is what `--home` says.
    #[must_use]
    pub fn of(home: Option<&Path>, environment: &BTreeMap<OsString, OsString>) -> Self {
        let variable = |name: &str| {
            environment.get(OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
        Self {
            home: home.map(Path::to_owned).or_else(|| variable("PMR_HOME")),
            runtime_directory: absolute("XDG_RUNTIME_DIR"),
            user_directory: absolute("HOME"),
            uid: nix::unistd::geteuid().as_raw(),
            namespace: pid_namespace(),
        }
    }

    /// Where a runtime tries to put its socket, best first. A home that was named is the only place, save the abstract
    /// namespace, should it not be writable.
    #[must_use]
    pub fn for_runtime(&self) -> Vec<Candidate> {
        if let Some(home) = &self.home {
            return vec![Candidate::Home(home.clone()), self.abstract_name()];
        }
        let mut all = vec![Candidate::Directory("/run/pmr".into())];
        all.extend(
            self.runtime_directory.iter().map(|directory| Candidate::Directory(directory.join("pmr"))),
        );
        all.extend([Candidate::Directory(self.temporary()), self.abstract_name()]);
        all
    }

    /// Where a client looks, in this order. Root looks at the runtimes of others as well, after its own.
    #[must_use]
    pub fn for_client(&self) -> Vec<Candidate> {
        let mut all = self.for_runtime();
        if self.home.is_some() {
            return all;
        }
        all.push(Candidate::Home(self.background_home()));
        if self.uid == 0 {
            all.push(Candidate::EachUser { parent: "/run/user".into(), prefix: "", rest: "pmr" });
            all.push(Candidate::EachUser { parent: "/tmp".into(), prefix: "pmr-", rest: "" });
        }
        all
    }

    /// Where a runtime in the background keeps its state, its logs and its socket.
    #[must_use]
    pub fn background_home(&self) -> PathBuf {
        let of_user = || self.user_directory.as_ref().map(|directory| directory.join(".pmr"));
        self.home.clone().or_else(of_user).unwrap_or_else(|| self.temporary())
    }

    fn temporary(&self) -> PathBuf {
        format!("/tmp/pmr-{}", self.uid).into()
    }

    fn abstract_name(&self) -> Candidate {
        let name = format!("pmr-{}-{}", self.uid, self.namespace);
        Candidate::Abstract(match &self.home {
            Some(home) => format!("{name}-{:016x}", hash(home.as_os_str().as_bytes())),
            None => name,
        })
    }
}

/// 0 where /proc does not tell, as for everybody there.
fn pid_namespace() -> u64 {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits: String = link.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// FNV-1a. Std's hashes may differ from one release to the next, and the client may be another release.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings {
        Surroundings { home: None, runtime_directory: None, user_directory: None, uid: 1000, namespace: 7 }
    }

    fn shown(candidates: &[Candidate]) -> Vec<String> {
        let show = |candidate: &Candidate| match candidate {
            Candidate::Home(path) => format!("home {}", path.display()),
            Candidate::Directory(path) => path.display().to_string(),
            Candidate::EachUser { parent, prefix, rest } => format!("{}/{prefix}N/{rest}", parent.display()),
            Candidate::Abstract(name) => format!("@{name}"),
        };
        candidates.iter().map(show).collect()
    }

    #[test]
    fn without_a_home_the_runtime_tries_the_usual_directories_and_then_the_abstract_namespace() {
        let mut around = surroundings();
        assert_eq!(shown(&around.for_runtime()), ["/run/pmr", "/tmp/pmr-1000", "@pmr-1000-7"]);
        around.runtime_directory = Some("/run/user/1000".into());
        assert_eq!(shown(&around.for_runtime())[1], "/run/user/1000/pmr");
    }

    #[test]
    fn a_home_that_was_named_is_the_only_place() {
        let around = Surroundings { home: Some("/srv/a".into()), ..surroundings() };
        assert_eq!(shown(&around.for_runtime()), ["home /srv/a", "@pmr-1000-7-39aff565700eaeb7"]);
        assert_eq!(around.for_client(), around.for_runtime());
    }

    #[test]
    fn a_client_looks_for_a_runtime_in_the_background_too() {
        let around = Surroundings { user_directory: Some("/home/a".into()), ..surroundings() };
        assert_eq!(shown(&around.for_client()).last().unwrap(), "home /home/a/.pmr");
        assert_eq!(surroundings().background_home(), Path::new("/tmp/pmr-1000"));
    }

    #[test]
    fn root_looks_at_the_runtimes_of_all_users() {
        let around = Surroundings { uid: 0, ..surroundings() };
        assert_eq!(shown(&around.for_client())[4..], ["/run/user/N/pmr", "/tmp/pmr-N/"]);
    }

    #[test]
    fn the_environment_is_read_and_an_option_comes_before_it() {
        let environment = [("PMR_HOME", "/a"), ("XDG_RUNTIME_DIR", "relative"), ("HOME", "/root")];
        let environment: BTreeMap<_, _> =
            environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        let around = Surroundings::of(None, &environment);
        assert_eq!(around.home.as_deref(), Some(Path::new("/a")));
        assert_eq!(around.runtime_directory, None);
        assert_ne!(around.namespace, 0);
        assert_eq!(Surroundings::of(Some(Path::new("b")), &environment).home, Some("b".into()));
    }
}
