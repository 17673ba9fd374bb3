//! Words of a command line or an environment, which need not be UTF-8, in JSON: text where they are text, else bytes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::{Deserialize, Serialize};

/// A word: `"text"`, or `[255, 254]` where it is no UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

impl Text {
    /// For people: what is no text is replaced.
    #[must_use]
    pub fn to_string_lossy(&self) -> String {
        match self {
            Self::Utf8(text) => text.clone(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

impl From<&OsStr> for Text {
    fn from(word: &OsStr) -> Self {
        match word.to_str() {
            Some(text) => Self::Utf8(text.to_owned()),
            None => Self::Bytes(word.as_bytes().to_vec()),
        }
    }
}

impl From<Text> for OsString {
    fn from(text: Text) -> Self {
        match text {
            Text::Utf8(text) => text.into(),
            Text::Bytes(bytes) => Self::from_vec(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_other_bytes_come_back_as_they_were() {
        let plain = Text::from(OsStr::new("café"));
        assert_eq!(serde_json::to_string(&plain).unwrap(), "\"café\"");
        let odd = OsString::from_vec(vec![b'a', 0xff]);
        let wire = serde_json::to_string(&Text::from(odd.as_os_str())).unwrap();
        assert_eq!(wire, "[97,255]");
        let back: Text = serde_json::from_str(&wire).unwrap();
        assert_eq!(back.to_string_lossy(), "a\u{fffd}");
        assert_eq!(OsString::from(back), odd);
    }
}
