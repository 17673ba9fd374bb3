//! Pages of made-up figures.

use super::{Format, render};
use crate::api::types::AppView;
use crate::metrics::families::tests::{app, with_figures};

fn page(apps: &[AppView], format: Format) -> String {
    with_figures(apps, |figures| render(figures, format))
}

#[test]
fn the_page_is_as_prometheus_reads_it() {
    insta::assert_snapshot!(page(&[app("web")], Format::Text));
}

#[test]
fn open_metrics_names_counters_without_their_ending_and_ends_with_a_mark() {
    let page = page(&[app("web")], Format::OpenMetrics);
    assert!(page.contains("# TYPE pmr_instance_restarts counter\n"), "{page}");
    assert!(page.contains("pmr_instance_restarts_total{app=\"web\",instance=\"0\"} 3\n"), "{page}");
    assert!(page.ends_with("# EOF\n"), "{page}");
}

#[test]
fn a_name_may_be_anything() {
    let page = page(&[app("a\"b\\c\nd")], Format::Text);
    assert!(page.contains(r#"pmr_app_up{app="a\"b\\c\nd",namespace="default"} 1"#), "{page}");
}
