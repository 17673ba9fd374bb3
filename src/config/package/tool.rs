//! Which package manager, and which node, a command would have run: where it lies, and its version.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::manager::Manager;
use super::manifest::Package;
use super::outcome::Kept;
use super::resolve::{Files, Surroundings};

/// A package manager as it is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tool {
    /// Not always known.
    pub(super) version: Option<String>,
    /// Its own package, where it has one.
    pub(super) root: Option<PathBuf>,
    /// `npm_execpath`.
    pub(super) script: PathBuf,
}

/// The `node` of PATH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) path: PathBuf,
    pub(super) version: Option<String>,
}

/// How far above its program a manager's package may be.
const LEVELS: usize = 3;
const OLDEST_NPM: u32 = 7;

impl Tool {
    /// The manager that `program` is.
    pub(super) fn find(
        manager: Manager,
        program: &OsStr,
        package: &Package,
        at: &Surroundings<'_>,
    ) -> Result<Self, Kept> {
        let unknown = |path: &Path| Kept::Shim { path: path.to_owned(), manager: manager.as_str() };
        let named = at.directory.join(program);
        let found = match program.as_encoded_bytes().contains(&b'/') {
            true => Some(named.clone()),
            false => (at.files.find)(at.variable("PATH").unwrap_or_default(), program),
        };
        let real = found.and_then(|found| (at.files.real)(&found)).ok_or_else(|| unknown(&named))?;
        let owner = real.ancestors().skip(1).take(LEVELS).find_map(|place| Package::at(place, at.files));
        let name = owner.as_ref().and_then(|owner| owner.manifest.text("name")).unwrap_or_default();
        match owner {
            Some(owner) if manager.is_package(name) => {
                Self::installed(manager, &owner, real).if_known(manager)
            }
            Some(_) if name == "corepack" => {
                Self::of_corepack(manager, package, at).ok_or_else(|| unknown(&real))
            }
            _ if manager == Manager::Bun => Ok(Self { version: None, root: None, script: real }),
            _ => Err(unknown(&real)),
        }
    }

    /// npm ran scripts in another way before it was rewritten, and yarn does since it was.
    fn if_known(self, manager: Manager) -> Result<Self, Kept> {
        match (manager, &self.version) {
            (Manager::Npm, Some(version)) if self.major().is_some_and(|major| major < OLDEST_NPM) => {
                Err(Kept::Old { manager: manager.as_str(), version: version.clone() })
            }
            (Manager::Yarn, _) if self.major() != Some(1) => Err(Kept::Berry),
            _ => Ok(self),
        }
    }

    /// The first number of its version.
    pub(super) fn major(&self) -> Option<u32> {
        self.version.as_ref()?.split('.').next()?.parse().ok()
    }

    fn installed(manager: Manager, owner: &Package, real: PathBuf) -> Self {
        let script = match manager {
            Manager::Npm => owner.directory.join("bin/npm-cli.js"),
            Manager::Yarn => owner.directory.join("bin/yarn.js"),
            Manager::Pnpm | Manager::Bun => real,
        };
        let version = owner.manifest.text("version").map(str::to_owned);
        Self { version, root: Some(owner.directory.clone()), script }
    }

    /// The version that package.json asks for, if corepack has fetched it.
    fn of_corepack(manager: Manager, package: &Package, at: &Surroundings<'_>) -> Option<Self> {
        let (name, version) = package.manifest.package_manager()?;
        let cache = at.variable("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| at.variable("HOME").map(|home| Path::new(home).join(".cache")));
        let home =
            at.variable("COREPACK_HOME").map(PathBuf::from).or_else(|| Some(cache?.join("node/corepack")))?;
        let directory = home.join("v1").join(name).join(version);
        let owner = Package::at(&directory, at.files)?;
        let scripts = ["bin/pnpm.cjs", "bin/pnpm.mjs"].map(|script| directory.join(script));
        let real = scripts.into_iter().find(|script| (at.files.read)(script).is_some());
        (name == manager.as_str()).then(|| Self::installed(manager, &owner, real.unwrap_or(directory)))
    }
}

impl Node {
    /// The first in the PATH of `at`.
    pub(super) fn find(at: &Surroundings<'_>) -> Option<Self> {
        let found = (at.files.find)(at.variable("PATH").unwrap_or_default(), OsStr::new("node"))?;
        let path = (at.files.real)(&found)?;
        let version = version_by_headers(&path, at.files).or_else(|| version_by_path(&path));
        Some(Self { path, version })
    }

    /// Where npm takes global packages to be.
    pub(super) fn prefix(&self) -> PathBuf {
        self.path.parent().and_then(Path::parent).unwrap_or(Path::new("/")).to_owned()
    }
}

/// Node's archives, packages and images bring its headers along.
fn version_by_headers(node: &Path, files: &Files<'_>) -> Option<String> {
    let header = (files.read)(&node.parent()?.parent()?.join("include/node/node_version.h"))?;
    let header = String::from_utf8_lossy(&header).into_owned();
    let part = |name: &str| {
        let start = format!("#define NODE_{name}_VERSION ");
        let number = header.lines().find_map(|line| line.strip_prefix(&start))?.trim();
        number.parse::<u32>().ok()
    };
    Some(format!("{}.{}.{}", part("MAJOR")?, part("MINOR")?, part("PATCH")?))
}

/// `…/node/v20.11.1/bin/node`, as version managers have it.
fn version_by_path(node: &Path) -> Option<String> {
    let directory = node.parent()?.parent()?.file_name()?.to_str()?;
    let version = directory.strip_prefix('v').unwrap_or(directory);
    let parts: Vec<_> = version.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(is_number)).then(|| version.to_owned())
}
