//! The bodies of requests to the control socket: any bytes, and what is understood means the same when it is sent again.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::api::types::{
    ReloadRequest, RestartRequest, ScaleRequest, SignalRequest, StartRequest, UpdateRequest,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|body: &[u8]| {
    means_the_same_again::<StartRequest>(body);
    means_the_same_again::<ReloadRequest>(body);
    means_the_same_again::<RestartRequest>(body);
    means_the_same_again::<ScaleRequest>(body);
    means_the_same_again::<SignalRequest>(body);
    means_the_same_again::<UpdateRequest>(body);
});

fn means_the_same_again<T: Debug + PartialEq + Serialize + DeserializeOwned>(body: &[u8]) {
    let Ok(understood) = serde_json::from_slice::<T>(body) else { return };
    let sent = serde_json::to_vec(&understood).expect("what was read can be written");
    let again: T = serde_json::from_slice(&sent).expect("what was written can be read");
    assert_eq!(understood, again);
}
