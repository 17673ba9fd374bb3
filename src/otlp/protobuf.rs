//! A push in Protocol Buffers, as opentelemetry-proto 1.x numbers its fields. Pure.
//!
//! Only what is needed of the format: to write the messages of one request, and to read the few fields of its answer.

use super::export::{Export, Metric, Point};
use super::{SCOPE, VERSION};
use crate::metrics::families::Kind;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u64 = 2;

/// How a field's value is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Delimited = 2,
}

/// `ExportMetricsServiceRequest`.
#[must_use]
pub(super) fn encode(export: &Export<'_>) -> Vec<u8> {
    let mut request = Writer::default();
    request.message(1, |it| {
        it.message(1, |resource| {
            export.resource.iter().for_each(|(key, value)| attribute(resource, 1, key, value));
        });
        it.message(2, |scope_metrics| {
            scope_metrics.message(1, |scope| {
                scope.text(1, SCOPE);
                scope.text(2, VERSION);
            });
            export.metrics.iter().for_each(|metric| scope_metrics.message(2, |it| self::metric(it, metric)));
        });
    });
    request.0
}

fn metric(it: &mut Writer, metric: &Metric<'_>) {
    it.text(1, &metric.name);
    it.text(2, metric.description);
    it.text(3, metric.unit);
    match metric.kind {
        Kind::Gauge => it.message(5, |gauge| points(gauge, metric)),
        Kind::Counter => it.message(7, |sum| {
            points(sum, metric);
            sum.number(2, CUMULATIVE);
            sum.number(3, u64::from(true));
        }),
    }
}

fn points(it: &mut Writer, metric: &Metric<'_>) {
    metric.points.iter().for_each(|each| it.message(1, |it| point(it, each)));
}

fn point(it: &mut Writer, point: &Point<'_>) {
    if let Some(start) = point.start {
        it.fixed(2, start);
    }
    it.fixed(3, point.time);
    it.fixed(4, point.value.to_bits());
    point.attributes.iter().for_each(|(key, value)| attribute(it, 7, key, value));
}

/// `KeyValue`, with a text as its value.
fn attribute(it: &mut Writer, field: u32, key: &str, value: &str) {
    it.message(field, |it| {
        it.text(1, key);
        it.message(2, |any| any.text(1, value));
    });
}

/// Messages are nested by writing the inner one first, since its length stands before it.
#[derive(Debug, Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn message(&mut self, field: u32, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.delimited(field, &inner.0);
    }

    fn text(&mut self, field: u32, text: &str) {
        self.delimited(field, text.as_bytes());
    }

    fn number(&mut self, field: u32, value: u64) {
        self.tag(field, Wire::Varint);
        self.varint(value);
    }

    fn fixed(&mut self, field: u32, bits: u64) {
        self.tag(field, Wire::Fixed64);
        self.0.extend(bits.to_le_bytes());
    }

    fn delimited(&mut self, field: u32, content: &[u8]) {
        self.tag(field, Wire::Delimited);
        self.varint(content.len() as u64);
        self.0.extend(content);
    }

    fn tag(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field << 3 | wire as u32));
    }

    /// Seven bits at a time, the lowest first; the highest bit of a byte says whether more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }
}

/// How many points were refused, and why, by `ExportMetricsServiceResponse`. What cannot be read says nothing.
#[must_use]
pub(super) fn rejected(answer: &[u8]) -> Option<(u64, String)> {
    let partial = fields(answer).find_map(|field| match field {
        (1, Value::Delimited(content)) => Some(content),
        _ => None,
    })?;
    let (mut count, mut why) = (0, String::new());
    for field in fields(partial) {
        match field {
            (1, Value::Number(number)) => count = number,
            (2, Value::Delimited(text)) => why = String::from_utf8_lossy(text).into_owned(),
            _ => {}
        }
    }
    (count > 0).then_some((count, why))
}

enum Value<'a> {
    Number(u64),
    Delimited(&'a [u8]),
}

/// The fields of a message, up to where it stops making sense.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let tag = varint(&mut rest)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut rest)?),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (content, after) = rest.split_at_checked(length)?;
                rest = after;
                Value::Delimited(content)
            }
            _ => return None,
        };
        Some((tag >> 3, value))
    })
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
