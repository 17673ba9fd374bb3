//! What one program of the runtime hands over to the next in an update in place: it is taken over whole, or not at all.
//!
//! An input is such a state; or changes to a real one, a line each:
//!
//! ```text
//! watch/min_uptime 5      `5` stands in the place of the first `min_uptime` below the first `watch`
//! -notify/file            the first `file` below the first `notify` is left out
//! +handed 7               `7` is added to the first `handed`
//! +apps                   the last of the first `apps` stands there twice
//! ```

#![no_main]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::driver::{CheckError, check, handed_on};
use pmr_runtime_fuzz::is_one_of;
use serde_json::Value;
use serde_json::value::RawValue;

/// As a runtime with a worker of a Node server wrote it, made shorter, and with something in (nearly) every list.
const REAL: &str = include_str!("../src/update_state.json");

/// Of one input of so many, which is understood, it is looked at what is handed on: that takes longer than all else.
const CHECKED: u8 = 4;

static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    check(REAL.as_bytes()).expect("what was handed over once is taken over by every later program");
    let mut places = Vec::new();
    add_places(&mut places, "", 0, REAL.trim());
    places
});

/// A value in the real state, and where it stands.
struct Place {
    /// A field's name, or a number in a list.
    name: &'static str,
    value: Range<usize>,
    /// Where its name begins; where it has none, the value.
    start: usize,
    /// The first place that is not below this one.
    after: usize,
}

fuzz_target!(|data: &[u8]| {
    let places = &*PLACES;
    let state = if data.starts_with(b"{") { data.to_vec() } else { changed(data, places) };
    let checked = check(&state);
    match &checked {
        Err(CheckError::Unreadable(why)) => return assert!(!why.to_string().is_empty()),
        Err(CheckError::Format { found, .. }) => return assert_ne!(*found, 1),
        Ok(()) | Err(CheckError::Unknown { .. }) => {}
    }
    if is_one_of(CHECKED, data) {
        is_taken_over_whole_or_not_at_all(&state, checked.is_ok());
    }
});

fn is_taken_over_whole_or_not_at_all(state: &[u8], accepted: bool) {
    let next = handed_on(state).expect("it was understood");
    let (given, kept) = (value(state), value(&next));
    assert_eq!(is_kept(&given["state"], &kept["state"]), accepted, "{given}\nis kept as\n{kept}");
    assert!(check(&next).is_ok());
    // The order of a map may be another.
    let again = handed_on(&next).expect("it was accepted");
    assert!(again == next || value(&again) == kept);
}

fn value(json: &[u8]) -> Value {
    serde_json::from_slice(json).expect("it was read before")
}

/// Whether all that is in `given` is in `kept`.
fn is_kept(given: &Value, kept: &Value) -> bool {
    match given {
        Value::Object(fields) => {
            fields.iter().all(|(name, field)| kept.get(name).is_some_and(|kept| is_kept(field, kept)))
        }
        Value::Array(items) => kept.as_array().is_some_and(|kept| {
            kept.len() == items.len() && items.iter().zip(kept).all(|(item, kept)| is_kept(item, kept))
        }),
        leaf => leaf == kept,
    }
}

fn changed(script: &[u8], places: &[Place]) -> Vec<u8> {
    let lines = script.split(|&byte| byte == b'\n');
    let mut changes: Vec<(Range<usize>, Vec<u8>)> = lines.filter_map(|line| change(line, places)).collect();
    changes.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut state, mut at) = (Vec::with_capacity(REAL.len() + script.len()), 0);
    for (range, text) in changes {
        // What stands in a place that was changed already is gone.
        if range.start >= at {
            state.extend(&REAL.as_bytes()[at..range.start]);
            state.extend(text);
            at = range.end;
        }
    }
    state.extend(&REAL.as_bytes()[at..]);
    state
}

/// What a line changes: what stands in a range, and what comes into its place.
fn change(line: &[u8], places: &[Place]) -> Option<(Range<usize>, Vec<u8>)> {
    let (line, kind) = match line.first()? {
        kind @ (b'+' | b'-') => (&line[1..], *kind),
        _ => (line, b' '),
    };
    let end = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    let (words, text) = (str::from_utf8(&line[..end]).ok()?, line.get(end + 1..).unwrap_or_default());
    let at = words.split('/').try_fold(0, |above, word| {
        (above + 1..places[above].after).find(|&below| places[below].name == word)
    })?;
    let place = &places[at];
    match kind {
        b'-' => Some((without(place), Vec::new())),
        b'+' => {
            let last = (at + 1..place.after).rfind(|&below| places[below].value.end == place.value.end - 1);
            let text = if text.is_empty() { &REAL.as_bytes()[places[last?].value.clone()] } else { text };
            let comma = if last.is_some() { &b","[..] } else { b"" };
            Some((place.value.end - 1..place.value.end - 1, [comma, text].concat()))
        }
        _ => Some((place.value.clone(), text.to_vec())),
    }
}

/// With its name, and one comma if there is one.
fn without(place: &Place) -> Range<usize> {
    let (before, after) = (&REAL[..place.start], &REAL[place.value.end..]);
    if after.starts_with(',') {
        place.start..place.value.end + 1
    } else if before.trim_end().ends_with(',') {
        before.trim_end().len() - 1..place.value.end
    } else {
        place.start..place.value.end
    }
}

fn add_places(places: &mut Vec<Place>, name: &'static str, start: usize, json: &'static str) {
    let (at, begins) = (places.len(), offset(json));
    places.push(Place { name, value: begins..begins + json.len(), start, after: at + 1 });
    if json.starts_with('{') {
        let fields: BTreeMap<&'static str, &'static RawValue> =
            serde_json::from_str(json).expect("an object");
        for (name, field) in fields {
            add_places(places, name, offset(name) - 1, field.get());
        }
    } else if json.starts_with('[') {
        let items: Vec<&'static RawValue> = serde_json::from_str(json).expect("a list");
        for (number, item) in items.into_iter().enumerate() {
            add_places(places, NUMBERS[number], offset(item.get()), item.get());
        }
    }
    places[at].after = places.len();
}

const NUMBERS: [&str; 4] = ["0", "1", "2", "3"];

/// Where a part of the real state stands in it.
fn offset(part: &'static str) -> usize {
    part.as_ptr().addr() - REAL.as_ptr().addr()
}
