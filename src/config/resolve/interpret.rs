//! The interpreter that a person names, and the words between it and the script.

use std::ffi::OsString;
use std::path::Path;

use super::command::Command;
use super::reader::Reader;
use super::{ResolveError, World};
use crate::config::env::Environment;
use crate::config::interpreter;
use crate::config::problem::Accepted;
use crate::config::raw::{Flags, Invocation};
use crate::config::setting;
use crate::ecosystem::declaration::value::split;

/// The word for no interpreter.
const NONE: &str = "none";

/// What was asked for.
pub(super) struct Interpretation {
    pub(super) program: Option<String>,
    pub(super) arguments: Vec<String>,
}

impl Interpretation {
    /// Reads it; a problem goes to `reader`, and nothing stands in for the value.
    pub(super) fn read(reader: &mut Reader, flags: &Flags, env: &Environment) -> Self {
        let program = reader.text(setting::INTERPRETER, &flags.interpreter, &env.pmr_interpreter, program);
        let arguments = reader.text(
            setting::INTERPRETER_ARGS,
            &flags.interpreter_args,
            &env.pmr_interpreter_args,
            arguments,
        );
        Self { program, arguments: arguments.unwrap_or_default() }
    }

    /// Whether nothing was.
    pub(super) fn is_none(&self) -> bool {
        self.program.is_none() && self.arguments.is_empty()
    }

    /// The command for a script. `None` where nothing in it is a script: then the second part says why nothing was done.
    pub(super) fn command(
        self,
        invocation: &Invocation,
        directory: Option<&Path>,
        world: &World<'_>,
    ) -> Result<Option<Command>, ResolveError> {
        let script = &invocation.command;
        let path = Path::new(script);
        let is_file = (world.is_file)(directory, path);
        let between = self.arguments.into_iter().map(OsString::from);
        let words = invocation.arguments.iter().cloned();
        match (self.program, interpreter::candidates(path)) {
            (Some(_), _) if !is_file => Err(ResolveError::NoSuchFile(path.display().to_string())),
            (Some(program), _) if program == NONE => {
                let is_name = !script.to_string_lossy().contains('/');
                let itself =
                    if is_name { Path::new(".").join(path).into_os_string() } else { script.clone() };
                Ok(Some(Command { program: itself, arguments: words.collect() }))
            }
            (Some(program), _) => {
                let arguments = between.chain([script.clone()]).chain(words).collect();
                Ok(Some(Command { program: program.into(), arguments }))
            }
            (None, Some(candidates)) if is_file => {
                let program = interpreter::choose(path, candidates, world.in_path)?.into();
                let arguments = between.chain([script.clone()]).chain(words).collect();
                Ok(Some(Command { program, arguments }))
            }
            (None, _) if interpreter::is_interpreter(path) => {
                Ok(Some(Command { program: script.clone(), arguments: between.chain(words).collect() }))
            }
            (None, _) => Ok(None),
        }
    }
}

fn program(text: &str) -> Result<String, Accepted> {
    // pm2 would install that version.
    if text.is_empty() || text.contains(['@', '\0']) {
        return Err(Accepted(
            "a program in PATH or the path of one, or `none`; versions are not installed here",
        ));
    }
    Ok(text.to_owned())
}

fn arguments(text: &str) -> Result<Vec<String>, Accepted> {
    split(text).filter(|_| !text.contains('\0')).ok_or(Accepted("words, as a shell would be given them"))
}
