//! Finds the file nearest to the app that says its version.

use std::path::Path;

use super::file;
use super::known::Version;
use super::manifest::Manifest;

/// The version in the nearest file that has one, in `directory` or above. In one directory, the file that goes with the
/// script's `extension` comes first.
pub(super) fn find(directory: &Path, extension: Option<&str>) -> Option<Version> {
    let preferred = extension.and_then(Manifest::of_scripts);
    let others = Manifest::ALL.into_iter().filter(|manifest| Some(*manifest) != preferred);
    let order: Vec<Manifest> = preferred.into_iter().chain(others).collect();
    directory.ancestors().find_map(|directory| order.iter().find_map(|manifest| read(directory, *manifest)))
}

fn read(directory: &Path, manifest: Manifest) -> Option<Version> {
    let file = directory.join(manifest.file_name());
    let version = manifest.version(&file::read(&file, file::LIMIT)?)?;
    Some(Version { version, file: file.display().to_string() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PACKAGE: &str = r#"{"version": "1.0.0"}"#;
    const PYPROJECT: &str = "[project]\nversion = \"2.0.0\"";

    #[track_caller]
    fn assert_found(files: &[(&str, &str)], extension: Option<&str>, expected: Option<(&str, &str)>) {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("app/src");
        fs::create_dir_all(&directory).unwrap();
        for (file, content) in files {
            fs::write(root.path().join(file), content).unwrap();
        }
        let expected = expected.map(|(version, file)| Version {
            version: version.to_owned(),
            file: root.path().join(file).display().to_string(),
        });
        assert_eq!(find(&directory, extension), expected);
    }

    #[test]
    fn the_nearest_file_with_a_version_counts() {
        let found = Some(("2.0.0", "app/pyproject.toml"));
        assert_found(&[("package.json", PACKAGE), ("app/pyproject.toml", PYPROJECT)], None, found);
        let found = Some(("1.0.0", "app/package.json"));
        assert_found(&[("app/package.json", PACKAGE), ("app/src/package.json", "{}")], Some("js"), found);
    }

    #[test]
    fn the_scripts_language_decides_between_neighbours() {
        let files = [("app/package.json", PACKAGE), ("app/pyproject.toml", PYPROJECT)];
        assert_found(&files, Some("py"), Some(("2.0.0", "app/pyproject.toml")));
        assert_found(&files, Some("ts"), Some(("1.0.0", "app/package.json")));
        assert_found(&files, None, Some(("1.0.0", "app/package.json")));
    }
}
