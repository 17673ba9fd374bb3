//! The files in which an app says its version. Pure: bytes → version, or `None`.

use super::known::showable;

/// A kind of such a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manifest {
    Package,
    Pyproject,
    Cargo,
    Composer,
}

impl Manifest {
    /// In the order in which they are looked for.
    pub const ALL: [Self; 4] = [Self::Package, Self::Pyproject, Self::Cargo, Self::Composer];

    pub fn file_name(self) -> &'static str {
        match self {
            Self::Package => "package.json",
            Self::Pyproject => "pyproject.toml",
            Self::Cargo => "Cargo.toml",
            Self::Composer => "composer.json",
        }
    }

    /// The one that belongs to scripts with this extension.
    pub fn of_scripts(extension: &str) -> Option<Self> {
        match extension {
            "js" | "cjs" | "mjs" | "ts" | "cts" | "mts" | "jsx" | "tsx" => Some(Self::Package),
            "py" => Some(Self::Pyproject),
            "php" => Some(Self::Composer),
            _ => None,
        }
    }

    /// The version in such a file. `None` where it has none, or is not what its name says.
    pub fn version(self, content: &[u8]) -> Option<String> {
        match self {
            Self::Package | Self::Composer => json(content),
            Self::Pyproject => toml(content, &[&["project", "version"], &["tool", "poetry", "version"]]),
            Self::Cargo => toml(content, &[&["package", "version"], &["workspace", "package", "version"]]),
        }
    }
}

/// Both kinds have it at the top.
fn json(content: &[u8]) -> Option<String> {
    // npm takes no offence at a byte order mark, either.
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let value: serde_json::Value = serde_json::from_slice(content).ok()?;
    showable(value.get("version")?.as_str()?)
}

/// The string at the first of `places` that has one.
fn toml(content: &[u8], places: &[&[&str]]) -> Option<String> {
    let table: toml::Table = std::str::from_utf8(content).ok()?.parse().ok()?;
    places.iter().find_map(|place| {
        let (first, rest) = place.split_first()?;
        let value = rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))?;
        showable(value.as_str()?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_version(manifest: Manifest, content: &str, expected: Option<&str>) {
        assert_eq!(manifest.version(content.as_bytes()).as_deref(), expected, "{content}");
    }

    #[test]
    fn a_json_file_has_its_version_at_the_top() {
        for manifest in [Manifest::Package, Manifest::Composer] {
            assert_version(manifest, r#"{"name": "a", "version": "1.2.3-rc.1"}"#, Some("1.2.3-rc.1"));
            assert_version(manifest, "\u{feff}{\"version\": \" 1.2 \"}", Some("1.2"));
            for none in [
                r#"{"private": true, "a": {"version": "1"}}"#,
                r#"{"version": 1}"#,
                r#"{"version": ""}"#,
                r#"{"version": "1\u001b[2J"}"#,
                r#"{"version": "1""#,
                "[1]",
                "\"version\"",
                "",
            ] {
                assert_version(manifest, none, None);
            }
        }
    }

    #[test]
    fn a_python_project_has_it_in_one_of_two_tables() {
        let project = "[project]\nname = \"a\"\nversion = \"2.0\"\n[tool.poetry]\nversion = \"1.0\"\n";
        assert_version(Manifest::Pyproject, project, Some("2.0"));
        let poetry = "[project]\ndynamic = [\"version\"]\n[tool.poetry]\nversion = \"1.0\"\n";
        assert_version(Manifest::Pyproject, poetry, Some("1.0"));
        for none in ["", "version = \"1\"", "[project]\nversion = 1", "project = 1\ntool = 2", "[project"] {
            assert_version(Manifest::Pyproject, none, None);
        }
    }

    #[test]
    fn a_crate_has_it_itself_or_leaves_it_to_its_workspace() {
        assert_version(Manifest::Cargo, "[package]\nversion = \"0.1.0\"", Some("0.1.0"));
        assert_version(Manifest::Cargo, "[package]\nversion.workspace = true", None);
        assert_version(Manifest::Cargo, "[workspace.package]\nversion = \"3.0.0\"", Some("3.0.0"));
    }

    #[test]
    fn nothing_is_too_deep() {
        for (manifest, content) in [
            (Manifest::Package, "[".repeat(60_000)),
            (Manifest::Package, "{\"version\":".repeat(5_000)),
            (Manifest::Cargo, format!("a = {}", "[".repeat(60_000))),
            (Manifest::Cargo, format!("a = {}", "{a=".repeat(20_000))),
            (Manifest::Cargo, format!("[{}a]", "a.".repeat(30_000))),
        ] {
            assert_eq!(manifest.version(content.as_bytes()), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(content: Vec<u8>) {
            for manifest in Manifest::ALL {
                let _ = manifest.version(&content);
            }
        }

        #[test]
        fn no_pieces_of_manifests_make_it_panic(
            content in "(\\{|\\}|\\[|\\]|\"|:|,|=|\\.|\n|#|'''|version|project|package|tool|poetry|1|\\\\u00){0,40}"
        ) {
            for manifest in Manifest::ALL {
                let _ = manifest.version(content.as_bytes());
            }
        }
    }
}
