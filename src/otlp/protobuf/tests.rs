//! Against the official definitions.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::otlp::export::tests::with_export;
use crate::otlp::json;

#[test]
fn the_official_definitions_read_what_is_written() {
    with_export(|export| {
        let request = ExportMetricsServiceRequest::decode(encode(export).as_slice()).unwrap();
        insta::assert_debug_snapshot!(request.resource_metrics[0].resource);
        let scope = &request.resource_metrics[0].scope_metrics[0];
        assert_eq!(scope.scope.as_ref().unwrap().name, SCOPE);
        assert_eq!(scope.metrics.len(), export.metrics.len());
        let cpu = scope.metrics.iter().find(|metric| metric.name == "pmr.instance.cpu").unwrap();
        insta::assert_debug_snapshot!(cpu);
        assert!(scope.metrics.iter().all(|metric| match &metric.data {
            Some(Data::Gauge(gauge)) => !gauge.data_points.is_empty(),
            Some(Data::Sum(sum)) =>
                sum.is_monotonic && sum.data_points.iter().all(|it| it.start_time_unix_nano > 0),
            _ => false,
        }));
    });
}

#[test]
fn both_encodings_say_the_same() {
    with_export(|export| {
        let binary = ExportMetricsServiceRequest::decode(encode(export).as_slice()).unwrap();
        let text: ExportMetricsServiceRequest = serde_json::from_slice(&json::encode(export)).unwrap();
        assert_eq!(text, binary);
    });
}

fn answer(rejected_data_points: i64, error_message: &str) -> Vec<u8> {
    let partial =
        ExportMetricsPartialSuccess { rejected_data_points, error_message: error_message.to_owned() };
    ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec()
}

#[test]
fn points_that_were_refused_are_found_in_the_answer() {
    assert_eq!(rejected(&answer(300, "too old")), Some((300, "too old".to_owned())));
    assert_eq!(rejected(&answer(0, "a warning")), None);
    assert_eq!(rejected(&[]), None);
}

proptest! {
    #[test]
    fn whatever_is_answered_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _whatever = rejected(&bytes);
        let whole = answer(7, "why");
        let _cut = rejected(&whole[..bytes.len().min(whole.len())]);
    }
}
