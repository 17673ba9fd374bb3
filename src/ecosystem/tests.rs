//! The published schema and page, held against the table of keys.
//!
//! To write them anew: `PMR_WRITE_DOCS=1 cargo test --lib ecosystem`.

use std::path::PathBuf;

use super::declaration::{page, schema};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

#[track_caller]
fn assert_published(name: &str, change: impl Fn(&str) -> String) {
    let found = std::fs::read_to_string(path(name)).unwrap_or_default();
    let wanted = change(&found);
    if std::env::var_os("PMR_WRITE_DOCS").is_some() {
        std::fs::write(path(name), wanted).unwrap();
    } else {
        assert!(
            found == wanted,
            "docs/{name} is not what the table of keys says; see the head of ecosystem/tests.rs"
        );
    }
}

#[test]
fn the_published_schema_is_that_of_the_table() {
    let text = serde_json::to_string_pretty(&schema::schema()).unwrap() + "\n";
    assert_published("pmr.schema.json", |_| text.clone());
}

/// `text` with the table behind the heading replaced.
fn with_table(text: &str, heading: &str, table: &str) -> String {
    let (before, rest) =
        text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no `{heading}`"));
    let start = rest.find("| key |").unwrap();
    let end = rest[start..].find("\n\n").map_or(rest.len(), |end| start + end + 1);
    format!("{before}\n{heading}\n{}{table}{}", &rest[..start], &rest[end..])
}

#[test]
fn the_tables_of_the_page_are_those_of_the_code() {
    assert_published("configuration-file.md", |text| {
        let text = with_table(text, "## Keys of an app", &page::keys());
        let text = with_table(&text, "## Keys that do nothing", &page::unused());
        with_table(&text, "## Keys of the file", &page::top())
    });
}
