//! What is wrong with a command line, in our own words rather than those of the parser.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::foreign::FOREIGN;

/// Words that follow no rule of the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    #[error("no command is given")]
    NoCommand {
        /// To be shown instead of the message.
        help: String,
    },
    #[error("unknown option `{option}`")]
    UnknownOption { option: String, nearest: Option<String> },
    #[error("unknown option `{option}`")]
    UnknownOptionAfterFile { option: String, nearest: Option<String> },
    #[error("`{word}` stands after the file `{file}`, where only our own options are accepted")]
    ExtraWord { word: String, file: String, start: bool },
    #[error("unknown option `{option}`")]
    UnknownOptionWithConfiguration { option: String, nearest: Option<String> },
    #[error("`{word}` stands behind the configuration file `{file}`, which has the words of its apps itself")]
    WordsWithConfiguration { word: String, file: String },
    #[error("`start` needs a file or a program to run")]
    StartWithoutFile,
    #[error("`{option}` needs a value")]
    NoValue { option: String },
    #[error("`{option}` takes no value, found `{value}`")]
    UnwantedValue { option: String, value: String },
    /// Whatever else the parser has to say.
    #[error("{0}")]
    Other(String),
}

impl UsageError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownOption { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownOption { nearest: None, .. } => Some(
                "`pmr-runtime --help` lists our own options; those of the app stand after its command"
                    .to_owned(),
            ),
            Self::UnknownOptionAfterFile { option, nearest } => {
                let nearest =
                    nearest.as_ref().map_or(String::new(), |nearest| format!("did you mean `{nearest}`? "));
                Some(format!("{nearest}put the app's own options after `--`, as in `-- {option}`"))
            }
            Self::ExtraWord { word, file, start: false } => {
                Some(format!("put the app's own words after `--`, as in `pmr-runtime {file} -- {word}`"))
            }
            Self::ExtraWord { word, file, start: true } => Some(format!(
                "put the app's own words after `--`, as in `pmr-runtime start {file} -- {word}`, or leave out `start`"
            )),
            Self::UnknownOptionWithConfiguration { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            Self::UnknownOptionWithConfiguration { nearest: None, .. } => Some(
                "`pmr-runtime --help` lists our own options; those of an app are its `args` in the file"
                    .to_owned(),
            ),
            Self::WordsWithConfiguration { .. } => {
                Some("write them into `args` of the app that is meant".to_owned())
            }
            Self::StartWithoutFile => Some("as in `pmr-runtime start server.js`".to_owned()),
            Self::NoCommand { .. } | Self::NoValue { .. } | Self::UnwantedValue { .. } | Self::Other(_) => {
                None
            }
        }
    }
}

impl From<clap::Error> for UsageError {
    fn from(error: clap::Error) -> Self {
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            Some(ContextValue::Strings(texts)) => texts.first().cloned(),
            _ => None,
        };
        let option = text(ContextKind::InvalidArg);
        match (error.kind(), option) {
            (ErrorKind::UnknownArgument, Some(option)) => Self::UnknownOption {
                option,
                nearest: text(ContextKind::SuggestedArg).filter(|option| is_ours(option)),
            },
            (ErrorKind::InvalidValue, Some(option)) => Self::NoValue { option },
            (ErrorKind::TooManyValues, Some(option)) => {
                Self::UnwantedValue { option, value: text(ContextKind::InvalidValue).unwrap_or_default() }
            }
            _ => Self::Other(first_line(&error.to_string())),
        }
    }
}

/// Whoever mistypes an option means one that does something.
fn is_ours(option: &str) -> bool {
    // Nor is an app's own `--port` one of pm2's `--format`.
    option != "--format" && FOREIGN.iter().all(|foreign| option.strip_prefix("--") != Some(foreign.long))
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
