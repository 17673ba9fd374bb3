//! A file's text as a document, by the form that the file's name says.

use std::path::Path;

use serde_json::Value;

use super::{procfile, yaml};
use crate::config::interpreter::is_procfile;

/// The only key of an object that stands for what is no data: what `evaluate` found in the place of a value.
pub const NOT_DATA: &str = "\u{0}not data";

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A program, to be evaluated by Node or Bun.
    Script(Language),
    /// JSON, in which pm2 takes all that JSON5 has: comments, bare names, trailing commas.
    Json5,
    Yaml,
    Toml,
    Procfile,
}

/// What a program is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    JavaScript,
    TypeScript,
}

impl Form {
    /// The form of `file`, by its name.
    #[must_use]
    pub fn of(file: &Path) -> Option<Self> {
        if is_procfile(file) {
            return Some(Self::Procfile);
        }
        match file.extension()?.to_str()? {
            "js" | "cjs" | "mjs" => Some(Self::Script(Language::JavaScript)),
            "ts" | "cts" | "mts" => Some(Self::Script(Language::TypeScript)),
            "json" | "json5" => Some(Self::Json5),
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// Why a text is no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoDocument(pub String);

/// Reads the text of a file that is no program. All texts of a YAML file after the first are refused.
///
/// # Errors
/// Where and why it is none.
pub fn parse(form: Form, text: &str) -> Result<Value, NoDocument> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match form {
        Form::Json5 => json5::from_str(text).map_err(|error| NoDocument(error.to_string())),
        Form::Yaml => yaml::parse(text),
        Form::Toml => toml::from_str(text).map_err(|error| NoDocument(toml_error(text, &error))),
        Form::Procfile => procfile::parse(text),
        Form::Script(_) => Err(NoDocument("a program must be evaluated".to_owned())),
    }
}

/// In one line, with the place in front, as the other parsers word theirs.
fn toml_error(text: &str, error: &toml::de::Error) -> String {
    let what = error.message();
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return what.to_owned() };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{what} at line {line} column {column}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_extension_says_how_a_file_is_written() {
        for (file, form) in [
            ("ecosystem.config.js", Some(Form::Script(Language::JavaScript))),
            ("a.config.mts", Some(Form::Script(Language::TypeScript))),
            ("a.json5", Some(Form::Json5)),
            ("a.yml", Some(Form::Yaml)),
            ("pmr.toml", Some(Form::Toml)),
            ("Procfile.dev", Some(Form::Procfile)),
            ("a.txt", None),
        ] {
            assert_eq!(Form::of(Path::new(file)), form, "{file}");
        }
    }

    #[test]
    fn every_form_says_the_same() {
        let expected =
            json!({ "apps": [{ "script": "a.js", "instances": 2, "env": { "A": "1", "B": true } }] });
        let json = "// as pm2 takes it\n{ apps: [{ script: 'a.js', 'instances': 2, /* x */ env: { A: \"1\", B: true }, }] }";
        let yaml = "apps:\n  - script: a.js\n    instances: 2\n    env:\n      A: '1'\n      B: true\n";
        let toml = "[[apps]]\nscript = 'a.js'\ninstances = 2\n[apps.env]\nA = '1'\nB = true\n";
        for (form, text) in [(Form::Json5, json), (Form::Yaml, yaml), (Form::Toml, toml)] {
            assert_eq!(parse(form, text), Ok(expected.clone()), "{form:?}");
            assert_eq!(parse(form, &format!("\u{feff}{text}")), Ok(expected.clone()), "{form:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let error = |form, text| parse(form, text).unwrap_err().to_string();
        insta::assert_snapshot!(error(Form::Json5, "{\n  apps: [,]\n}"), @"expected value at line 2 column 10");
        insta::assert_snapshot!(error(Form::Yaml, "apps:\n  - a: [1\n"), @"while parsing a flow sequence, expected ',' or ']' at byte 16 line 3 column 1");
        insta::assert_snapshot!(error(Form::Toml, "[[apps]]\nscript = \n"), @"string values must be quoted, expected literal string at line 2 column 10");
        insta::assert_snapshot!(error(Form::Yaml, "a: 1\n---\nb: 2\n"), @"found 2 documents, accepted: one");
        insta::assert_snapshot!(error(Form::Json5, ""), @"EOF parsing value");
    }
}
