//! Who is told of a worker that died abnormally.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use super::bytes;

/// `--on-crash`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnCrash {
    /// A server gets a POST.
    Post { host: String, port: u16, path: String },
    /// A program gets it on its standard input.
    Run {
        #[serde(with = "bytes::one")]
        program: OsString,
        #[serde(with = "bytes::list")]
        arguments: Vec<OsString>,
    },
}
