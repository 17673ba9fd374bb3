//! What the shared test with `protobuf` does not show.

use super::*;
use crate::otlp::export::tests::with_export;

#[test]
fn integers_of_64_bits_are_texts_and_names_are_in_camel_case() {
    with_export(|export| {
        let request: Value = serde_json::from_slice(&encode(export)).unwrap();
        let metrics = &request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
        let cpu = metrics.as_array().unwrap().iter().find(|it| it["name"] == "pmr.instance.cpu").unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(cpu).unwrap());
    });
}

#[test]
fn points_that_were_refused_are_found_in_the_answer() {
    let answer = |count: &str| {
        format!(r#"{{"partialSuccess":{{"rejectedDataPoints":{count},"errorMessage":"old"}}}}"#)
    };
    for count in ["\"3\"", "3"] {
        assert_eq!(rejected(answer(count).as_bytes()), Some((3, "old".to_owned())), "{count}");
    }
    for nothing in [answer("\"0\"").as_str(), "{}", "", "[]", r#"{"partialSuccess":{}}"#] {
        assert_eq!(rejected(nothing.as_bytes()), None, "{nothing}");
    }
}
