//! `pmr completion`: a script for a shell.

use super::args::{self, Completion};
use super::error::VerbError;
use super::session::Session;
use super::words::Called;
use crate::cli::args as of_runtime;
use crate::exit;

/// For the command by whose name we were called.
pub(super) fn completion(session: &Session, called: Called, wanted: &Completion) -> Result<u8, VerbError> {
    let (mut grammar, name) = match called {
        Called::Pmr => (args::grammar(), "pmr"),
        Called::Runtime => (of_runtime::whole_grammar(), "pmr-runtime"),
    };
    let mut script = Vec::new();
    clap_complete::generate(wanted.shell, &mut grammar, name, &mut script);
    session.output.print(&String::from_utf8_lossy(&script))?;
    Ok(exit::OK)
}
