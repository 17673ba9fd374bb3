//! Words and paths, which need not be UTF-8, in a state that is handed over: text where they are text, else bytes. Pure.
//!
//! Each module is for serde's `with`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::{Deserialize, Serialize};

/// A word, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Word {
    Utf8(String),
    Bytes(Vec<u8>),
}

impl Word {
    fn of(word: impl AsRef<OsStr>) -> Self {
        let word = word.as_ref();
        match word.to_str() {
            Some(text) => Self::Utf8(text.to_owned()),
            None => Self::Bytes(word.as_bytes().to_vec()),
        }
    }

    fn into_os(self) -> OsString {
        match self {
            Self::Utf8(text) => text.into(),
            Self::Bytes(bytes) => OsString::from_vec(bytes),
        }
    }
}

/// One `OsString` or `PathBuf`.
pub mod one {
    use super::*;
    use serde::{Deserializer, Serializer};

    pub fn serialize<T: AsRef<OsStr>, S: Serializer>(word: &T, to: S) -> Result<S::Ok, S::Error> {
        Word::of(word).serialize(to)
    }

    pub fn deserialize<'de, T: From<OsString>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        Ok(Word::deserialize(from)?.into_os().into())
    }
}

/// None or one.
pub mod option {
    use super::*;
    use serde::{Deserializer, Serializer};

    pub fn serialize<T: AsRef<OsStr>, S: Serializer>(word: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        word.as_ref().map(Word::of).serialize(to)
    }

    pub fn deserialize<'de, T: From<OsString>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        Ok(Option::<Word>::deserialize(from)?.map(|word| word.into_os().into()))
    }
}

/// A list.
pub mod list {
    use super::*;
    use serde::{Deserializer, Serializer};

    pub fn serialize<T: AsRef<OsStr>, S: Serializer>(words: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(words.iter().map(Word::of))
    }

    pub fn deserialize<'de, T: From<OsString>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
        let words = Vec::<Word>::deserialize(from)?;
        Ok(words.into_iter().map(|word| word.into_os().into()).collect())
    }
}

/// Names with values, as an environment has them.
pub mod map {
    use std::collections::BTreeMap;

    use super::*;
    use serde::{Deserializer, Serializer};

    type Variables = BTreeMap<OsString, OsString>;

    pub fn serialize<S: Serializer>(words: &Variables, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(words.iter().map(|(name, value)| (Word::of(name), Word::of(value))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Variables, D::Error> {
        let words = Vec::<(Word, Word)>::deserialize(from)?;
        Ok(words.into_iter().map(|(name, value)| (name.into_os(), value.into_os())).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        #[serde(with = "one")]
        one: PathBuf,
        #[serde(with = "option")]
        option: Option<PathBuf>,
        #[serde(with = "list")]
        list: Vec<OsString>,
        #[serde(with = "map")]
        map: BTreeMap<OsString, OsString>,
    }

    #[test]
    fn words_come_back_as_they_were_whether_text_or_not() {
        for odd in [OsString::from("caf\u{e9}"), OsString::from_vec(vec![b'a', 0xff])] {
            let all = All {
                one: odd.clone().into(),
                option: Some(odd.clone().into()),
                list: vec![odd.clone(), OsString::new()],
                map: BTreeMap::from([(odd.clone(), odd)]),
            };
            let text = serde_json::to_string(&all).unwrap();
            assert_eq!(serde_json::from_str::<All>(&text).unwrap(), all);
        }
    }
}
