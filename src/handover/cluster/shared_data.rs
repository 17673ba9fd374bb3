//! What the servers of one address share among workers: TLS ticket keys, so that a session begun with one worker is
//! resumed by another. Pure; the owner of all links keeps one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An app that listens on ever new addresses must not grow our memory; beyond so many, a worker gets its own data back.
const MOST_ADDRESSES: usize = 256;

/// Data that may be nested deeper than so is not kept either: in an update we hand it over as part of our state, and JSON is read
/// to a depth of 128.
const MOST_BRACKETS: usize = 64;

/// The data of the first worker at each address. It is kept while we run, so that sessions outlive a reload.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SharedData {
    by_address: BTreeMap<String, Box<RawValue>>,
}

impl SharedData {
    /// What a worker at `address` shall use: what the first one had, and that is `own` if it is the first.
    pub fn agree<'a>(&'a mut self, address: &str, own: &'a RawValue) -> &'a RawValue {
        if own.get() == "null" {
            return own;
        }
        if !self.by_address.contains_key(address) {
            if self.by_address.len() == MOST_ADDRESSES || may_be_deep(own) {
                return own;
            }
            self.by_address.insert(address.to_owned(), own.to_owned());
        }
        &self.by_address[address]
    }
}

fn may_be_deep(data: &RawValue) -> bool {
    data.get().bytes().filter(|byte| b"[{".contains(byte)).count() > MOST_BRACKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn all_workers_at_an_address_get_the_data_of_the_first() {
        let mut shared = SharedData::default();
        assert_eq!(shared.agree("null:443:4", &raw("{\"a\":1}")).get(), "{\"a\":1}");
        assert_eq!(shared.agree("null:443:4", &raw("{\"b\":2}")).get(), "{\"a\":1}");
        assert_eq!(shared.agree("null:444:4", &raw("{\"b\":2}")).get(), "{\"b\":2}");
    }

    #[test]
    fn a_server_without_data_gets_none() {
        let mut shared = SharedData::default();
        assert_eq!(shared.agree("null:443:4", &raw("{}")).get(), "{}");
        assert_eq!(shared.agree("null:443:4", &raw("null")).get(), "null");
    }

    #[test]
    fn what_is_kept_can_be_handed_over() {
        let (deep, flat) = (raw(&("[".repeat(200) + &"]".repeat(200))), raw("[[7]]"));
        let mut shared = SharedData::default();
        assert_eq!(shared.agree("null:443:4", &deep).get(), deep.get());
        assert_eq!(shared.agree("null:443:4", &flat).get(), flat.get());
        let state = serde_json::to_string(&shared).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&state).is_ok());
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let mut shared = SharedData::default();
        for port in 0..MOST_ADDRESSES {
            shared.agree(&port.to_string(), &raw("1"));
        }
        assert_eq!(shared.agree("one more", &raw("2")).get(), "2");
        assert_eq!(shared.agree("one more", &raw("3")).get(), "3");
        assert_eq!(shared.agree("0", &raw("3")).get(), "1");
    }
}
