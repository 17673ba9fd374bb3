//! Options of pm2's that have no meaning here: accepted, so that a command line that works there works here, and told of in a line each.

use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// Whether an option has a value, which stands in the next word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    No,
    Yes,
}

/// An option that is accepted and does nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Foreign {
    pub long: &'static str,
    pub short: Option<char>,
    pub value: Value,
    /// Why there is nothing to do, or what does it here.
    pub why: &'static str,
}

const CLOUD: &str = "pm2's paid service is not there; `pmr monit` shows what happens";
const FORMS: &str = "what a script is follows from its name and place";

const fn flag(long: &'static str, why: &'static str) -> Foreign {
    Foreign { long, short: None, value: Value::No, why }
}

const fn short(short: char, long: &'static str, why: &'static str) -> Foreign {
    Foreign { long, short: Some(short), value: Value::No, why }
}

const fn value(long: &'static str, why: &'static str) -> Foreign {
    Foreign { long, short: None, value: Value::Yes, why }
}

/// All of them.
// A line each, as a table reads best.
#[rustfmt::skip]
pub static FOREIGN: &[Foreign] = &[
    value("secret", CLOUD),
    value("public", CLOUD),
    value("machine-name", CLOUD),
    flag("trace", CLOUD),
    flag("disable-trace", CLOUD),
    flag("v8", CLOUD),
    flag("event-loop-inspector", CLOUD),
    flag("deep-monitoring", CLOUD),
    flag("no-pmx", "nothing is patched in the app"),
    flag("no-automation", "nothing is patched in the app"),
    flag("no-vizion", "the git checkout is read only when `pmr show` asks"),
    flag("no-color", "colours appear on a terminal only, and never with NO_COLOR set"),
    short('s', "silent", "`--log-level error` says how much is told"),
    flag("mini-list", "`pmr list` takes the columns that there is room for"),
    value("sort", "`pmr list --sort` orders the list"),
    flag("attach", "`pmr logs` shows what an app writes"),
    short('f', "force", "an app of a name that is there already is refused; give it another by `--name`"),
    short('a', "update-env", "a new app has the environment of its command line in any case"),
    short('x', "execute-command", FORMS),
    short('w', "write", "`pmr save` writes the list of apps down"),
    value("filter-env", "`filter_env` of a configuration file takes variables away, and on a command line `env -u NAME`"),
    value("ext", "`--watch` and `--ignore-watch` say which files count"),
    flag("disable-source-map-support", "they are off unless `--source-map-support` turns them on"),
    value("namespace", "`namespace` of a configuration file puts several apps together"),
    value("parallel", "as many workers start at once as there are CPUs"),
    value("hp", "`pmr startup` takes the home of the user who calls it"),
    Foreign { short: Some('u'), ..value("user", "`--uid` runs workers as another user") },
    value("service-name", "`pmr startup` names the service"),
    flag("wait-ip", "a server that binds before it has an address gets it all the same"),
];

/// Those that were given.
#[derive(Debug, Clone, Default)]
pub(super) struct Given(Vec<&'static Foreign>);

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_given =
            |foreign: &&Foreign| matches.value_source(foreign.long) == Some(ValueSource::CommandLine);
        Ok(Self(FOREIGN.iter().filter(is_given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command.args(FOREIGN.iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(foreign: &'static Foreign) -> Arg {
    let argument = Arg::new(foreign.long).long(foreign.long).hide(true);
    let argument = foreign.short.into_iter().fold(argument, Arg::short);
    match foreign.value {
        Value::No => argument.action(ArgAction::SetTrue),
        // A secret may begin with a dash, and need not be text.
        Value::Yes => {
            argument.value_parser(ValueParser::os_string()).value_name("VALUE").allow_hyphen_values(true)
        }
    }
}

impl Given {
    /// A text for people for each.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|foreign| format!("`--{}` has no effect: {}", foreign.long, foreign.why))
    }
}
