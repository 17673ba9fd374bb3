//! What to execute: the command as given, a file's interpreter with the file, or a line as one would type it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::{ResolveError, World};
use crate::config::interpreter;
use crate::config::name::default_name;
use crate::config::raw::{Flags, Invocation};

/// A program and its arguments.
pub(super) struct Command {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
}

/// Whether PATH is searched for `word`.
fn is_name(word: &OsStr) -> bool {
    !word.as_encoded_bytes().contains(&b'/')
}

/// What a shell does not take as it stands, at least at some places (POSIX, Shell Command Language, 2.2).
const MEANS_SOMETHING_TO_A_SHELL: &[char] = &[
    '|', '&', ';', '<', '>', '(', ')', '$', '`', '\\', '"', '\'', '*', '?', '[', ']', '#', '~', '=', '%',
    '!', '{', '}', '\n',
];

/// Words that a shell carries out itself, so that no program of this name stands in PATH, or one that would not do.
const OF_A_SHELL: [&str; 16] = [
    ".", "cd", "command", "eval", "exec", "export", "for", "if", "read", "set", "source", "trap", "ulimit",
    "umask", "until", "while",
];

/// Whether a command has something in it that a shell has to carry out.
pub(crate) fn needs_shell(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    line.contains(MEANS_SOMETHING_TO_A_SHELL) || OF_A_SHELL.contains(&first)
}

fn is_line(word: &OsStr) -> bool {
    word.to_string_lossy().trim().contains([' ', '\t', '\n'])
}

impl Command {
    /// Turns the words of `invocation` into a command to be run in `directory`.
    pub(super) fn find(
        invocation: Invocation,
        directory: Option<&Path>,
        world: &World<'_>,
    ) -> Result<Self, ResolveError> {
        let Invocation { command, mut arguments, start, .. } = invocation;
        let file = Path::new(&command);
        let exists = (world.is_file)(directory, file);
        if !exists && arguments.is_empty() && is_line(&command) && !(world.in_path)(&command) {
            return Self::of_line(&command, directory, world);
        }
        if interpreter::is_configuration(file) && (exists || start) {
            return Err(ResolveError::ConfigurationFile(file.display().to_string()));
        }
        let Some(candidates) = interpreter::candidates(file) else {
            return Ok(Self::without_extension(command, arguments, exists, directory, world));
        };
        if exists {
            let program = interpreter::choose(file, candidates, world.in_path)?.into();
            arguments.insert(0, command);
            return Ok(Self { program, arguments });
        }
        if (world.in_path)(&command) {
            return Ok(Self { program: command, arguments });
        }
        Err(ResolveError::NoSuchFile(file.display().to_string()))
    }

    /// A program; or a file or directory that pm2 would find before it looked into PATH, where no program has that name.
    fn without_extension(
        command: OsString,
        arguments: Vec<OsString>,
        exists: bool,
        directory: Option<&Path>,
        world: &World<'_>,
    ) -> Self {
        let path = Path::new(&command);
        let is_package = || interpreter::has_package(path, &|file| (world.is_file)(directory, file));
        if !exists && !is_package() || is_name(&command) && (world.in_path)(&command) {
            return Self { program: command, arguments };
        }
        let words = if exists {
            (world.head)(directory, path).and_then(|head| interpreter::of_content(&head))
        } else {
            Some(vec!["node".to_owned()])
        };
        // Without a slash, it would be looked for in PATH alone.
        let file = if is_name(&command) { Path::new(".").join(path).into_os_string() } else { command };
        let mut all = words.into_iter().flatten().map(OsString::from).chain([file]).chain(arguments);
        Self { program: all.next().unwrap_or_default(), arguments: all.collect() }
    }

    /// A whole command in one word, which pm2 takes as well and gives to a shell. Where it is but words, no shell needs to stand
    /// between us and the program.
    fn of_line(line: &OsStr, directory: Option<&Path>, world: &World<'_>) -> Result<Self, ResolveError> {
        match line.to_str().filter(|line| !needs_shell(line)) {
            Some(line) => {
                let mut words = line.split_whitespace().map(OsString::from);
                let command = words.next().unwrap_or_default();
                let (flags, arguments) = (Flags::default(), words.collect());
                Self::find(Invocation { flags, command, arguments, start: false }, directory, world)
            }
            None => Ok(Self { program: "sh".into(), arguments: vec!["-c".into(), line.to_owned()] }),
        }
    }

    /// The name of an app that has none.
    pub(super) fn name(&self) -> String {
        default_name(&self.program, &self.arguments)
    }
}
