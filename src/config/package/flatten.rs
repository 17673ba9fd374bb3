//! Values of package.json as variables: `config: {db: {port: 1}}` → `npm_package_config_db_port=1`.

use serde_json::Value;

use super::manifest::Manifest;
use super::script::is_name;

/// How a manager names and chooses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// `name`, `version`, `config`, `engines` and `bin` (npm 7 and later); what is no name for a shell is left out.
    Npm,
    /// The same fields, with `_` in the place of other characters (pnpm 10 and later).
    Pnpm,
    /// Nearly all fields (yarn 1, pnpm up to 9).
    Everything,
    /// `name`, `version`, and what stands in `config` without further depth.
    Bun,
}

const SOME: [&str; 5] = ["name", "version", "config", "engines", "bin"];
/// Too long for an environment.
const NEVER: [&str; 5] = ["readme", "notice", "licenseText", "activationEvents", "contributes"];
/// More is nobody's wish, and could be too much for an exec.
const MOST: usize = 2000;

/// The variables.
pub(super) fn variables(manifest: &Manifest, flavour: Flavour) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, value) in manifest.fields() {
        let wanted = match flavour {
            Flavour::Npm | Flavour::Pnpm => SOME.contains(&name),
            Flavour::Everything => !name.starts_with('_') && !NEVER.contains(&name),
            Flavour::Bun => matches!(name, "name" | "version" | "config"),
        };
        match (name, value) {
            ("bin", Value::String(path)) if wanted && flavour != Flavour::Pnpm => {
                let package = manifest.text("name").unwrap_or_default();
                let program = package.rsplit('/').next().unwrap_or_default();
                add(
                    &mut all,
                    &format!("npm_package_bin_{program}"),
                    &Value::from(without_dot(path)),
                    flavour,
                );
            }
            ("bin", Value::Object(programs)) if wanted && flavour != Flavour::Pnpm => {
                for (program, path) in programs {
                    let path = path.as_str().map(without_dot).unwrap_or_default();
                    add(&mut all, &format!("npm_package_bin_{program}"), &Value::from(path), flavour);
                }
            }
            _ if wanted => add(&mut all, &format!("npm_package_{name}"), value, flavour),
            _ => {}
        }
    }
    all
}

fn without_dot(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

fn add(all: &mut Vec<(String, String)>, name: &str, value: &Value, flavour: Flavour) {
    let text = match value {
        Value::Object(fields) if flavour == Flavour::Bun => {
            let plain = fields.iter().filter(|(_, value)| !value.is_object() && !value.is_array());
            return plain.for_each(|(key, value)| add(all, &format!("{name}_{key}"), value, flavour));
        }
        Value::Object(fields) => {
            return fields.iter().for_each(|(key, value)| add(all, &format!("{name}_{key}"), value, flavour));
        }
        Value::Array(items) => {
            return items
                .iter()
                .enumerate()
                .for_each(|(at, value)| add(all, &format!("{name}_{at}"), value, flavour));
        }
        Value::Null if flavour == Flavour::Everything => return,
        Value::Bool(false) if flavour == Flavour::Npm => String::new(),
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let name = match flavour {
        Flavour::Npm | Flavour::Bun if !is_name(name) => return,
        Flavour::Npm | Flavour::Bun => name.to_owned(),
        Flavour::Pnpm | Flavour::Everything => {
            name.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '_'), "_")
        }
    };
    let text = match flavour {
        Flavour::Pnpm | Flavour::Everything if text.contains('\n') => Value::from(text).to_string(),
        _ => text,
    };
    // No variable can hold a NUL.
    if all.len() < MOST && !text.contains('\0') {
        all.push((name, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: &str = r#"{
        "name": "@x/shop", "version": "1.2.3", "private": true, "readme": "long", "_id": "x", "description": "a\nb",
        "config": {"port": 8080, "deep": {"x": "1"}, "off": false, "none": null, "a-b": "c"}, "engines": {"node": ">=18"},
        "bin": "./cli.js", "files": ["lib"]
    }"#;

    fn of(flavour: Flavour) -> String {
        let manifest = Manifest::read(PACKAGE.as_bytes()).unwrap();
        let lines = variables(&manifest, flavour).into_iter().map(|(name, value)| format!("{name}={value}"));
        let mut lines: Vec<_> = lines.collect();
        lines.sort();
        lines.join("\n")
    }

    #[test]
    fn each_manager_has_its_own_choice() {
        insta::assert_snapshot!(of(Flavour::Npm), @r"
        npm_package_bin_shop=cli.js
        npm_package_config_deep_x=1
        npm_package_config_none=
        npm_package_config_off=
        npm_package_config_port=8080
        npm_package_engines_node=>=18
        npm_package_name=@x/shop
        npm_package_version=1.2.3
        ");
        insta::assert_snapshot!(of(Flavour::Pnpm), @r"
        npm_package_bin=./cli.js
        npm_package_config_a_b=c
        npm_package_config_deep_x=1
        npm_package_config_none=
        npm_package_config_off=false
        npm_package_config_port=8080
        npm_package_engines_node=>=18
        npm_package_name=@x/shop
        npm_package_version=1.2.3
        ");
        insta::assert_snapshot!(of(Flavour::Everything), @r#"
        npm_package_bin_shop=cli.js
        npm_package_config_a_b=c
        npm_package_config_deep_x=1
        npm_package_config_off=false
        npm_package_config_port=8080
        npm_package_description="a\nb"
        npm_package_engines_node=>=18
        npm_package_files_0=lib
        npm_package_name=@x/shop
        npm_package_private=true
        npm_package_version=1.2.3
        "#);
        insta::assert_snapshot!(of(Flavour::Bun), @r"
        npm_package_config_none=
        npm_package_config_off=false
        npm_package_config_port=8080
        npm_package_name=@x/shop
        npm_package_version=1.2.3
        ");
    }
}
