//! `pmr completion`: a script for a shell.

use super::args::{self, Completion};
use super::error::VerbError;
use super::session::Session;
use crate::exit;

pub(super) fn completion(session: &Session, wanted: &Completion) -> Result<u8, VerbError> {
    let mut script = Vec::new();
    clap_complete::generate(wanted.shell, &mut args::grammar(), "pmr", &mut script);
    session.output.print(&String::from_utf8_lossy(&script))?;
    Ok(exit::OK)
}
