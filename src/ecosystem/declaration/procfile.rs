//! Procfiles: each line a type of process and its command, as foreman and Heroku read them.

use serde_json::{Value, json};

use super::environment::Environment;
use super::text::NoDocument;
use crate::config::resolve::needs_shell;
use crate::config::values;

/// The type that the platform routes requests to.
pub const WEB: &str = "web";

/// The type that Heroku runs once for a deployment, before it starts the others.
pub const RELEASE: &str = "release";

/// How far apart the ports of two types are, as in foreman.
pub const PORT_STEP: u16 = 100;

/// Reads the text of a Procfile as the document of a configuration file.
///
/// # Errors
/// Which line is none of a Procfile.
pub(super) fn parse(text: &str) -> Result<Value, NoDocument> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let apps = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(app);
    Ok(json!({ "apps": apps.collect::<Result<Vec<Value>, NoDocument>>()? }))
}

fn app((number, line): (usize, &str)) -> Result<Value, NoDocument> {
    let wrong = || NoDocument(format!("line {number} is not `TYPE: COMMAND`"));
    let (name, command) = line.split_once(':').ok_or_else(wrong)?;
    let (name, command) = (name.trim_end(), command.trim());
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(is_name) || command.is_empty() {
        return Err(wrong());
    }
    // A command of several words is looked at where commands are; one alone would be taken for a program.
    Ok(match !command.contains(char::is_whitespace) && needs_shell(command) {
        true => json!({ "name": name, "script": "sh", "args": ["-c", command] }),
        false => json!({ "name": name, "script": command }),
    })
}

/// Gives a type other than `web` a port of its own: so much above PORT, if that is set.
///
/// # Errors
/// PORT, where there is no port so much above it.
pub(super) fn move_port(environment: &mut Environment, by: u16) -> Result<(), u16> {
    let Some(variable) = environment.get_mut(std::ffi::OsStr::new("PORT")) else { return Ok(()) };
    let Some(port) = variable.to_str().and_then(|text| values::port(text).ok()) else { return Ok(()) };
    *variable = port.checked_add(by).ok_or(port)?.to_string().into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_type_and_its_command() {
        let text = "# types\nweb: bundle exec puma -p $PORT\n\n  worker-2:node jobs.js \r\nclock: $CMD\n";
        let expected = json!({ "apps": [
            { "name": "web", "script": "bundle exec puma -p $PORT" },
            { "name": "worker-2", "script": "node jobs.js" },
            { "name": "clock", "script": "sh", "args": ["-c", "$CMD"] },
        ] });
        assert_eq!(parse(text), Ok(expected));
        assert_eq!(parse(""), Ok(json!({ "apps": [] })));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for text in ["web: x\nnode server.js", "web: x\nweb:", "web: x\n: x", "web: x\nw b: x"] {
            assert_eq!(parse(text).unwrap_err().to_string(), "line 2 is not `TYPE: COMMAND`", "{text}");
        }
    }

    #[test]
    fn a_port_is_moved_where_there_is_one() {
        let moved = |port: Option<&str>| {
            let mut environment: Environment =
                port.iter().map(|port| ("PORT".into(), (*port).into())).collect();
            let outcome = move_port(&mut environment, 200);
            outcome.map(|()| environment.remove(std::ffi::OsStr::new("PORT")))
        };
        assert_eq!(moved(Some("5000")), Ok(Some("5200".into())));
        assert_eq!(moved(Some("http")), Ok(Some("http".into())));
        assert_eq!(moved(None), Ok(None));
        assert_eq!(moved(Some("65400")), Err(65400));
    }
}
