//! What can go wrong with a verb, what its status is, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::background::BackgroundError;
use super::session::Closed;
use super::startup::StartupError;
use crate::control::choose::ChooseError;
use crate::control::client::ClientError;
use crate::ecosystem::files::LoadError;
use crate::exit;
use crate::tui::run::MonitError;

/// Not done, or unknown.
const FAILED: u8 = 1;

#[derive(Debug, thiserror::Error)]
pub(super) enum VerbError {
    /// A verb that nobody knows.
    #[error("there is no verb `{word}`")]
    UnknownVerb { word: String, nearest: Option<String>, is_file: bool },
    /// One of pm2's.
    #[error("`{verb}` {why}")]
    Absent { verb: String, why: &'static str },
    #[error("{what}")]
    Usage { what: String, usage: Option<String>, hint: Option<String> },
    #[error("cannot tell which directory this is")]
    Directory {
        #[source]
        source: io::Error,
    },
    #[error("cannot start the event loop")]
    Loop {
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Choose(#[from] ChooseError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Background(#[from] BackgroundError),
    #[error("nothing has been saved: there is no `{}`", .path.display())]
    NothingSaved { path: PathBuf },
    #[error("cannot read what was saved in `{}`", .path.display())]
    Saved {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    File(#[from] LoadError),
    /// An app of a configuration file that cannot be run.
    #[error("nothing was changed")]
    App(#[source] Box<crate::exit::Error>),
    #[error("cannot write `{}`", .path.display())]
    Output {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write `{}`", .path.display())]
    Init {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Startup(#[from] StartupError),
    #[error(transparent)]
    Monit(#[from] MonitError<ClientError>),
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl VerbError {
    /// The status to end with.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::File(_) => exit::USAGE,
            Self::Client(ClientError::Refused(problem)) if problem.code == "bad_request" => exit::USAGE,
            // Like `head`, whoever closed our output has seen enough.
            Self::Closed(_) => exit::OK,
            _ => FAILED,
        }
    }

    /// The text for people; nothing where nobody is there to read it.
    pub(super) fn render(&self) -> String {
        if matches!(self, Self::Closed(_)) {
            return String::new();
        }
        exit::words(self, &self.details(), self.hint().as_deref())
    }

    fn details(&self) -> Vec<String> {
        match self {
            // Where only one thing is wrong, the message says it already.
            Self::Client(ClientError::Refused(problem)) if problem.details == [problem.message.as_str()] => {
                Vec::new()
            }
            Self::Client(ClientError::Refused(problem)) => problem.details.clone(),
            Self::Usage { usage: Some(usage), .. } => vec![usage.clone()],
            Self::Background(error) => error.last_words().to_vec(),
            Self::File(error) => error.details(),
            _ => Vec::new(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownVerb { word, is_file: true, .. } => {
                Some(format!("did you mean `pmr start {word}`?"))
            }
            Self::UnknownVerb { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `pmr {nearest}`?"))
            }
            Self::UnknownVerb { .. } => Some("`pmr --help` lists the verbs".to_owned()),
            Self::Usage { hint, .. } => hint.clone(),
            Self::Client(ClientError::Refused(problem)) => problem.hint.clone(),
            Self::Choose(error) => Some(hint_of_choice(error)?.to_owned()),
            Self::NothingSaved { .. } => {
                Some("start the apps, then write them down with `pmr save`".to_owned())
            }
            Self::Client(ClientError::TimedOut { .. }) => {
                Some("it may be stopped (Ctrl-Z, a debugger), or the machine overloaded".to_owned())
            }
            Self::Startup(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::Init { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => Some(
                "it is never overwritten: remove it first, or name another form, as in `pmr init yaml`"
                    .to_owned(),
            ),
            Self::Output { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                Some("it is never overwritten: name another with `-o FILE`".to_owned())
            }
            Self::Monit(error) => error.hint().map(str::to_owned),
            _ => None,
        }
    }
}

fn hint_of_choice(error: &ChooseError) -> Option<&'static str> {
    match error {
        ChooseError::None => Some(
            "`pmr start server.js` begins one in the background, `pmr-runtime server.js` one in the foreground; \
             one with a home of its own is named by `--home DIR` or PMR_HOME",
        ),
        ChooseError::NoneAt { .. } => Some(
            "`pmr start server.js` begins one there; without `--home` and PMR_HOME all places are looked at",
        ),
        ChooseError::Several { .. } => Some("choose one with `--home SOCKET`"),
        ChooseError::Denied { .. } => Some("be that user, or root: `sudo pmr …`"),
        ChooseError::Client(_) => None,
    }
}
