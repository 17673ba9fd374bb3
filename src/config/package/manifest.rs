//! package.json: what a package is called, its scripts, and where it is found.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::resolve::Files;

/// What stands in a package.json.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Manifest(Map<String, Value>);

/// A package and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Package {
    pub(super) directory: PathBuf,
    pub(super) manifest: Manifest,
}

impl Manifest {
    /// `None` where it is none.
    pub(super) fn read(content: &[u8]) -> Option<Self> {
        // npm takes no offence at a byte order mark.
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        match serde_json::from_slice(content).ok()? {
            Value::Object(fields) => Some(Self(fields)),
            _ => None,
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A field that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.field(name)?.as_str()
    }

    /// A script that is there and not empty.
    pub(super) fn script(&self, name: &str) -> Option<&str> {
        self.field("scripts")?.get(name)?.as_str().filter(|script| !script.trim().is_empty())
    }

    /// `pnpm` and `9.1.0` of `"packageManager": "pnpm@9.1.0+sha512.…"`.
    pub(super) fn package_manager(&self) -> Option<(&str, &str)> {
        let (name, version) = self.text("packageManager")?.split_once('@')?;
        Some((name, version.split('+').next().unwrap_or(version)))
    }
}

impl Package {
    /// The one whose package.json is in `directory`.
    pub(super) fn at(directory: &Path, files: &Files<'_>) -> Option<Self> {
        let manifest = Manifest::read(&(files.read)(&directory.join("package.json"))?)?;
        Some(Self { directory: directory.to_owned(), manifest })
    }

    /// The nearest, in `directory` or above. One that cannot be read hides those above it, as it does from its manager.
    pub(super) fn nearest(directory: &Path, files: &Files<'_>) -> Option<Self> {
        let has_one = |directory: &&Path| (files.read)(&directory.join("package.json")).is_some();
        Self::at(directory.ancestors().find(has_one)?, files)
    }

    /// The directory above whose package.json has workspaces.
    pub(super) fn workspace_root(&self, files: &Files<'_>) -> Option<PathBuf> {
        let is_root = |directory: &&Path| {
            Self::at(directory, files).is_some_and(|package| package.manifest.field("workspaces").is_some())
        };
        self.directory.ancestors().skip(1).find(is_root).map(Path::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scripts_and_the_package_manager_are_found() {
        let text = r#"{"scripts": {"start": "node .", "empty": " ", "odd": 1}, "packageManager": "pnpm@9.1.0+sha512.ab"}"#;
        let manifest = Manifest::read(format!("\u{feff}{text}").as_bytes()).unwrap();
        assert_eq!(manifest.script("start"), Some("node ."));
        for none in ["empty", "odd", "other"] {
            assert_eq!(manifest.script(none), None, "{none}");
        }
        assert_eq!(manifest.package_manager(), Some(("pnpm", "9.1.0")));
    }

    #[test]
    fn what_is_no_object_is_no_manifest() {
        for content in ["", "[]", "1", "{", "{\"a\": }"] {
            assert_eq!(Manifest::read(content.as_bytes()), None, "{content}");
        }
        assert_eq!(Manifest::read("{\"a\":".repeat(5_000).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(content: Vec<u8>) {
            let _ = Manifest::read(&content);
        }
    }
}
