//! Environments and what is made of them.

use super::*;

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

fn read(variables: &[(&str, &str)]) -> Reading {
    let lookup =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, it)| (*it).to_owned());
    Config::read(lookup, || Identity { host: Some("dyno".to_owned()), pid: 1 })
}

/// What is made of the endpoint and these.
#[track_caller]
fn with(variables: &[(&str, &str)]) -> Config {
    let reading = read(&[&[ENDPOINT], variables].concat());
    assert_eq!(reading.complaints, Vec::<String>::new());
    reading.config.unwrap()
}

#[track_caller]
fn complaint(variables: &[(&str, &str)]) -> (Option<Config>, String) {
    let Reading { config, complaints } = read(&[&[ENDPOINT], variables].concat());
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    (config, complaints.into_iter().next().unwrap())
}

#[test]
fn without_an_endpoint_or_where_it_is_turned_off_nothing_is_pushed() {
    let nothing = Reading { config: None, complaints: Vec::new() };
    assert_eq!(read(&[("OTEL_METRIC_EXPORT_INTERVAL", "x")]), nothing);
    for off in [
        ("OTEL_SDK_DISABLED", "True"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "prometheus,console"),
    ] {
        assert_eq!(read(&[ENDPOINT, off, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]), nothing, "{off:?}");
    }
    with(&[("OTEL_SDK_DISABLED", "yes"), ("OTEL_METRICS_EXPORTER", "console, otlp")]);
}

#[test]
fn the_specifications_defaults_hold() {
    let config = with(&[]);
    assert_eq!((config.timeout, config.interval), (Duration::from_secs(10), Duration::from_secs(60)));
    assert_eq!((config.encoding, config.endpoint.path.as_str()), (Encoding::Protobuf, "/v1/metrics"));
    let resource = [
        ("service.name", "unknown_service:pmr-runtime"),
        ("service.instance.id", "dyno:1"),
        ("host.name", "dyno"),
    ];
    assert_eq!(config.resource, resource.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn what_is_said_of_metrics_comes_before_what_is_said_of_all() {
    let config = with(&[
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics/in"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-key=a%20b=, X-Other = c "),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "5"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1500"),
    ]);
    assert_eq!((config.endpoint.host.as_str(), config.endpoint.path.as_str()), ("metrics", "/in"));
    assert_eq!((config.encoding, config.timeout.as_millis()), (Encoding::Json, 5));
    assert_eq!(config.interval.as_millis(), 1500);
    let headers: Vec<_> =
        config.headers.iter().map(|(name, it)| (name.as_str(), it.to_str().unwrap())).collect();
    assert_eq!(headers, [("x-key", "a b="), ("x-other", "c")]);
    assert!(!format!("{config:?}").contains("a b="), "{config:?}");
}

#[test]
fn the_name_of_the_service_has_a_variable_of_its_own() {
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,service.instance.id=7,team=a%2Cb");
    let of = |variables: &[(&str, &str)], key: &str| {
        let config = with(variables);
        config.resource.into_iter().find(|(known, _)| known == key).map(|(_, value)| value)
    };
    assert_eq!(of(&[attributes], "service.name").as_deref(), Some("other"));
    assert_eq!(of(&[attributes, ("OTEL_SERVICE_NAME", "shop")], "service.name").as_deref(), Some("shop"));
    assert_eq!(of(&[attributes], "service.instance.id").as_deref(), Some("7"));
    assert_eq!(of(&[attributes], "team").as_deref(), Some("a,b"));
}

#[test]
fn what_the_runtime_does_not_speak_is_told_with_what_to_do() {
    let (config, told) = complaint(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://vendor/v1/metrics")]);
    assert_eq!(config, None);
    insta::assert_snapshot!(told);
    let (config, told) = complaint(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert_eq!(config, None);
    insta::assert_snapshot!(told);
}

#[test]
fn what_makes_no_sense_is_passed_over() {
    for (variable, text, told) in [
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "`OTEL_METRIC_EXPORT_INTERVAL` is `0`, accepted: milliseconds"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "5s", "`OTEL_EXPORTER_OTLP_TIMEOUT` is `5s`, accepted: milliseconds"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "secret",
            "`OTEL_EXPORTER_OTLP_HEADERS` has a part that is not `key=value`",
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a=%zz",
            "`OTEL_EXPORTER_OTLP_HEADERS` has a part that is not `key=value`",
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a b=c",
            "`OTEL_EXPORTER_OTLP_HEADERS` has a part that is no HTTP header",
        ),
        (
            "OTEL_EXPORTER_OTLP_COMPRESSION",
            "gzip",
            "`OTEL_EXPORTER_OTLP_COMPRESSION` is `gzip`; pushes are not",
        ),
    ] {
        let (config, complaint) = complaint(&[(variable, text)]);
        assert!(complaint.starts_with(told), "{complaint}");
        let config = config.unwrap();
        assert_eq!((config.timeout, config.interval), (Duration::from_secs(10), Duration::from_secs(60)));
        assert_eq!(config.headers, []);
    }
    let reading = read(&[(ENDPOINT.0, "localhost:4318")]);
    assert_eq!(reading.config, None);
    assert!(reading.complaints[0].contains("is no address like `http://localhost:4318`"), "{reading:?}");
}
