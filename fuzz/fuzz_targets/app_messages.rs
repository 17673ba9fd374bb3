//! What apps say by `process.send`: read, kept, handed over in an update.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::handover::cluster::codec::{Decoder, Incoming};
use pmr_runtime::handover::messages::read::{LONGEST_NAME, LONGEST_TEXT, MOST_ANSWER, MOST_DATA};
use pmr_runtime::handover::messages::reported::MOST;
use pmr_runtime::handover::messages::{Adapter, Allowance, Figure, Number, Part, Reported, Told, Word, read};

fuzz_target!(|bytes: &[u8]| {
    let (mut reported, mut allowance) = (Reported::default(), Allowance::default());
    let mut now = Duration::ZERO;
    for incoming in Decoder::default().push(bytes) {
        let Incoming::User(message) = incoming else { continue };
        now += Duration::from_millis(u64::try_from(message.get().len()).unwrap_or_default());
        let _passed_on = allowance.spend(now);
        take(&mut reported, read(&message));
    }
    is_bounded(&reported);
    let handed_over = serde_json::to_vec(&reported).expect("it can be written");
    let taken_over: Reported = serde_json::from_slice(&handed_over).expect("it can be read");
    assert_eq!(taken_over.actions(), reported.actions());
    assert!(taken_over.metrics().keys().eq(reported.metrics().keys()));
});

fn take(reported: &mut Reported, word: Word) {
    match word {
        Word::Metrics(metrics) => {
            for (_, figure) in &metrics {
                assert!(Figure::together([figure, figure]).is_some_and(|both| is_finite(&both)));
            }
            reported.take_metrics(metrics);
        }
        Word::Action { name, kind } => reported.take_action(name, kind),
        Word::Reply { action, answer } => {
            is_name(&action);
            assert!(answer.is_none_or(|answer| answer.len() <= MOST_ANSWER && is_json(&answer)));
        }
        Word::Part { uuid, part } => {
            is_name(&uuid);
            if let Part::More(text) | Part::Failed(text) = part {
                assert!(text.len() <= MOST_ANSWER && is_json(&text));
            }
        }
        Word::Told(Told::Exception { text, data, by: _ }) => {
            is_line(&text, LONGEST_TEXT);
            assert!(data.is_none_or(|data| data.to_string().len() <= 6 * MOST_DATA + 100));
        }
        Word::Told(Told::Event { name, .. }) => is_line(&name, LONGEST_NAME),
        Word::Told(Told::Message { topic, .. }) => is_line(&topic, LONGEST_NAME),
        Word::Adapter(Adapter { from, to }) => {
            from.iter().chain(&to).for_each(|name| is_name(name));
            if let Some(from) = from {
                reported.take_name(&from);
                assert!(reported.is_called(&from));
            }
        }
        Word::Ready | Word::Other => {}
    }
}

fn is_bounded(reported: &Reported) {
    assert!(reported.metrics().len() <= MOST && reported.actions().len() <= MOST);
    for (name, figure) in reported.metrics() {
        is_line(name, LONGEST_NAME);
        is_line(&figure.unit, 64);
        assert!(is_finite(figure));
    }
    reported.actions().keys().for_each(|name| is_name(name));
}

fn is_finite(figure: &Figure) -> bool {
    match &figure.value {
        Number::Of(number) => number.is_finite(),
        Number::Text(text) => text.chars().count() <= 64,
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

fn is_name(name: &str) {
    assert!(!name.is_empty() && name.len() <= LONGEST_NAME);
}

fn is_line(text: &str, longest: usize) {
    assert!(text.chars().count() <= longest && !text.contains(char::is_control));
}
