//! Figures as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0. Pure.

use std::fmt::Write as _;

use super::families::{Family, Figures, Kind, Labels, families};

/// In which words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own.
    Text,
    OpenMetrics,
}

impl Format {
    /// The value of the header `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The page.
#[must_use]
pub fn render(figures: &Figures<'_>, format: Format) -> String {
    let mut page = Page { format, text: String::new(), summary: None };
    for family in families(figures) {
        page.family(&family);
    }
    if format == Format::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

struct Page {
    format: Format,
    text: String,
    /// The one whose parts are being written.
    summary: Option<&'static str>,
}

impl Page {
    fn family(&mut self, family: &Family<'_>) {
        let (before, summary) = (self.summary, family.summary());
        self.summary = summary;
        let (kind, of_family) = match (family.kind, self.format) {
            _ if summary.is_some() => ("summary", ""),
            // Names of prom-client's that end so are none of counters, and who checks the page would say so.
            (Kind::Gauge, Format::Text) if family.name.ends_with("_total") => ("untyped", ""),
            (Kind::Gauge, Format::OpenMetrics) if family.name.ends_with("_total") => ("unknown", ""),
            (Kind::Gauge, _) => ("gauge", ""),
            (Kind::Counter, Format::OpenMetrics) => ("counter", ""),
            (Kind::Counter, Format::Text) => ("counter", "_total"),
        };
        let total = if kind == "counter" { "_total" } else { "" };
        let (name, help) = (family.name, family.help);
        if summary.is_none() || summary != before {
            let head = summary.unwrap_or(name);
            self.line(format_args!("# HELP {head}{of_family} {help}"));
            self.line(format_args!("# TYPE {head}{of_family} {kind}"));
        }
        for sample in &family.samples {
            self.line(format_args!("{name}{total}{} {}", written(&sample.labels), sample.value));
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // A String takes all that is written to it.
        let _always = writeln!(self.text, "{text}");
    }
}

/// `{app="web",instance="0"}`, or nothing.
fn written(labels: &Labels<'_>) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests;
