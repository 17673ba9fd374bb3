//! YAML as a document: with merge keys (`<<`), which the parser itself does not know, and without what JSON cannot say.

use saphyr::{LoadableYamlNode, ScalarOwned, YamlOwned};
use serde_json::{Map, Number, Value};

use super::text::NoDocument;

/// Reads the only document of `text`.
pub(super) fn parse(text: &str) -> Result<Value, NoDocument> {
    let documents = YamlOwned::load_from_str(text).map_err(|error| NoDocument(error.to_string()))?;
    match documents.as_slice() {
        [] => Ok(Value::Null),
        [one] => value(one),
        several => Err(NoDocument(format!("found {} documents, accepted: one", several.len()))),
    }
}

fn value(node: &YamlOwned) -> Result<Value, NoDocument> {
    match node {
        YamlOwned::Value(scalar) => scalar_value(scalar),
        YamlOwned::Sequence(items) => items.iter().map(value).collect::<Result<_, _>>().map(Value::Array),
        YamlOwned::Mapping(entries) => {
            let (mut own, mut merged) = (Map::new(), Map::new());
            for (key, entry) in entries {
                match name(key)? {
                    name if name == "<<" => merge(&mut merged, value(entry)?)?,
                    name => drop(own.insert(name, value(entry)?)),
                }
            }
            // What an entry says itself goes before what it takes over.
            merged.extend(own);
            Ok(Value::Object(merged))
        }
        YamlOwned::Tagged(_, node) => value(node),
        YamlOwned::Representation(text, ..) => Ok(Value::String(text.clone())),
        YamlOwned::Alias(_) | YamlOwned::BadValue => {
            Err(NoDocument("a value cannot be read, or an alias has no anchor".to_owned()))
        }
    }
}

fn scalar_value(scalar: &ScalarOwned) -> Result<Value, NoDocument> {
    Ok(match scalar {
        ScalarOwned::Null => Value::Null,
        ScalarOwned::Boolean(yes) => Value::Bool(*yes),
        ScalarOwned::Integer(number) => Value::Number((*number).into()),
        ScalarOwned::FloatingPoint(number) => Number::from_f64(number.into_inner())
            .map(Value::Number)
            .ok_or_else(|| NoDocument(format!("found `{number}`, accepted: a finite number")))?,
        ScalarOwned::String(text) => Value::String(text.clone()),
    })
}

fn name(key: &YamlOwned) -> Result<String, NoDocument> {
    match value(key)? {
        Value::String(text) => Ok(text),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(NoDocument("found a key that is a list or an object, accepted: a text".to_owned()))
        }
        other => Ok(other.to_string()),
    }
}

/// Of several mappings the first goes before the others.
fn merge(into: &mut Map<String, Value>, from: Value) -> Result<(), NoDocument> {
    match from {
        Value::Object(object) => {
            for (key, value) in object {
                into.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(items) => items.into_iter().try_for_each(|item| merge(into, item)),
        _ => Err(NoDocument("`<<` takes over a mapping, and found something else".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn anchors_aliases_and_merge_keys_are_followed() {
        let text = "base: &base\n  a: 1\n  b: 1\nother: &other {b: 2, c: 2}\napp:\n  <<: [*base, *other]\n  a: 3\nlist: *base\n";
        let read = parse(text).unwrap();
        assert_eq!(read["app"], json!({ "a": 3, "b": 1, "c": 2 }));
        assert_eq!(read["list"], json!({ "a": 1, "b": 1 }));
    }

    #[test]
    fn scalars_are_what_yaml_1_2_says() {
        let read = parse("a: yes\nb: true\nc: 0x10\nd: 1.5\ne: ~\nf: '1'\n1: one\n").unwrap();
        assert_eq!(
            read,
            json!({ "a": "yes", "b": true, "c": 16, "d": 1.5, "e": null, "f": "1", "1": "one" })
        );
        assert_eq!(parse("").unwrap(), Value::Null);
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        for text in ["a: .nan", "? [1, 2]\n: x", "<<: 5", "a: *nowhere", "a: 1\na: 2"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
