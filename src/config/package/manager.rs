//! The package managers, and what they are called.

use std::ffi::OsStr;
use std::path::Path;

/// A package manager that runs scripts of package.json.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    Npm,
    Yarn,
    Pnpm,
    Bun,
}

impl Manager {
    /// The one that `program` is by its name.
    pub(super) fn of(program: &OsStr) -> Option<Self> {
        match Path::new(program).file_name()?.to_str()? {
            "npm" => Some(Self::Npm),
            "yarn" | "yarnpkg" => Some(Self::Yarn),
            "pnpm" => Some(Self::Pnpm),
            "bun" => Some(Self::Bun),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Yarn => "yarn",
            Self::Pnpm => "pnpm",
            Self::Bun => "bun",
        }
    }

    /// Whether its own package, or one for a platform, is called so.
    pub(super) fn is_package(self, name: &str) -> bool {
        match self {
            Self::Npm | Self::Yarn => name == self.as_str(),
            Self::Pnpm => name == "pnpm" || name == "@pnpm/exe" || name.starts_with("@pnpm/exe."),
            Self::Bun => name == "bun" || name.starts_with("@oven/bun"),
        }
    }
}
