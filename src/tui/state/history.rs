//! What each instance has used over the last minutes, for the little curves.

use std::collections::{HashMap, VecDeque};

use crate::api::types::AppView;

/// At one a second, two minutes. More than any curve is wide.
const POINTS: usize = 120;

/// The curves of all instances.
#[derive(Debug, Default)]
pub struct History {
    series: HashMap<u32, Series>,
}

/// The curves of one instance, oldest point first. `None` where nothing was known.
#[derive(Debug, Default)]
pub struct Series {
    pub cpu: VecDeque<Option<f64>>,
    pub memory: VecDeque<Option<f64>>,
}

impl History {
    /// Adds a point for each instance, and forgets instances that are gone.
    pub(super) fn record(&mut self, apps: &[AppView]) {
        let mut kept = HashMap::new();
        for instance in apps.iter().flat_map(|app| &app.instances) {
            let mut series = self.series.remove(&instance.id).unwrap_or_default();
            push(&mut series.cpu, instance.cpu_percent);
            #[expect(clippy::cast_precision_loss, reason = "a curve of eight levels needs no exact bytes")]
            push(&mut series.memory, instance.memory_bytes.map(|bytes| bytes as f64));
            kept.insert(instance.id, series);
        }
        self.series = kept;
    }

    /// That of the instance with this number.
    #[must_use]
    pub fn of(&self, id: u32) -> Option<&Series> {
        self.series.get(&id)
    }
}

fn push(points: &mut VecDeque<Option<f64>>, point: Option<f64>) {
    if points.len() >= POINTS {
        points.pop_front();
    }
    points.push_back(point.filter(|value| value.is_finite()));
}

#[cfg(test)]
mod tests {
    use super::super::tests::world::app;
    use super::*;

    #[test]
    fn a_curve_is_bounded_and_ends_with_the_newest_point() {
        let mut history = History::default();
        let mut web = app(0, "web", &[7]);
        for second in 0..200 {
            web.instances[0].cpu_percent = Some(f64::from(second));
            history.record(std::slice::from_ref(&web));
        }
        let series = history.of(7).unwrap();
        assert_eq!((series.cpu.len(), series.cpu.back()), (POINTS, Some(&Some(199.0))));
    }

    #[test]
    fn an_instance_that_is_gone_takes_its_curve_along() {
        let mut history = History::default();
        history.record(&[app(0, "web", &[1, 2])]);
        history.record(&[app(0, "web", &[2])]);
        assert!(history.of(1).is_none() && history.of(2).is_some());
    }
}
