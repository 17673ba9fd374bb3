//! What a runtime gone mad answers to a client: the event stream against a second reader of it, and the bodies.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::api::types::{
    AppView, EnvironmentView, ErrorView, EventView, LogView, Lost, Outcome, PongView, RuntimeView,
};
use pmr_runtime::control::sse::{Message, Parser};
use pmr_runtime_fuzz::{Script, with_script};
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|data: &[u8]| {
    let (bytes, script) = with_script(data);
    let mut script = Script::new(script);
    let (mut parser, mut found, mut rest) = (Parser::default(), Vec::new(), bytes);
    while !rest.is_empty() {
        found.extend(parser.push(script.piece(&mut rest)).expect("it is short"));
    }
    assert_eq!(found, messages(bytes));
    found.iter().for_each(|message| understand(message.data.as_bytes()));
    understand(bytes);
});

/// As the HTML standard tells it, of the whole stream at once.
fn messages(bytes: &[u8]) -> Vec<Message> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let Some((lines, _unfinished)) = text.rsplit_once('\n') else { return Vec::new() };
    let (mut found, mut name, mut data) = (Vec::new(), "", Vec::new());
    for line in lines.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            _ if line.is_empty() => {
                let name = if name.is_empty() { "message" } else { name }.to_owned();
                found.extend((!data.is_empty()).then(|| Message { name, data: data.join("\n") }));
                data.clear();
            }
            "data" => data.push(value),
            _ => {}
        }
        name = match field {
            _ if line.is_empty() => "",
            "event" => value,
            _ => name,
        };
    }
    found
}

fn understand(body: &[u8]) {
    if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return;
    }
    means_the_same_again::<ErrorView>(body);
    means_the_same_again::<Outcome>(body);
    means_the_same_again::<LogView>(body);
    means_the_same_again::<Lost>(body);
    means_the_same_again::<PongView>(body);
    means_the_same_again::<Vec<EnvironmentView>>(body);
    // Their figures may differ by as much as JSON's fractions do.
    can_be_sent_again::<Vec<AppView>>(body);
    can_be_sent_again::<EventView>(body);
    can_be_sent_again::<RuntimeView>(body);
}

fn means_the_same_again<T: Debug + PartialEq + Serialize + DeserializeOwned>(body: &[u8]) {
    if let Some((understood, again)) = can_be_sent_again::<T>(body) {
        assert_eq!(understood, again);
    }
}

fn can_be_sent_again<T: Serialize + DeserializeOwned>(body: &[u8]) -> Option<(T, T)> {
    let understood = serde_json::from_slice::<T>(body).ok()?;
    let sent = serde_json::to_vec(&understood).expect("what was read can be written");
    Some((understood, serde_json::from_slice(&sent).expect("what was written can be read")))
}
