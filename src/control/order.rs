//! From the body of a request to a change that the driver knows. Pure.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;

use serde::de::DeserializeOwned;

use super::query::{bad_request, several};
use crate::api::messages::SendRequest;
use crate::api::routes::{self, Route};
use crate::api::text::Text;
use crate::api::types::{
    Environment, Operation, Problem, ReloadRequest, RestartRequest, ScaleRequest, SignalRequest, StartRequest,
};
use crate::config::values::MOST_INSTANCES;
use crate::driver::handle::{Anew, Change, Parallel, ScaleTo};
use crate::process::Signal;
use crate::spec::ReloadStrategy;

/// An environment as the driver takes it.
type Variables = Vec<(OsString, OsString)>;

/// The change that a request to `route` asks for.
///
/// # Errors
/// When the body is not what the route takes, with all that is wrong. Also when the route is none of a change to apps.
pub fn change(route: Route, body: &[u8]) -> Result<Change, Problem> {
    match route {
        routes::START => nothing(body).map(|()| Change::Start),
        routes::STOP => nothing(body).map(|()| Change::Stop),
        routes::DELETE => nothing(body).map(|()| Change::Delete),
        routes::RESET => nothing(body).map(|()| Change::Reset),
        routes::FLUSH => nothing(body).map(|()| Change::Flush),
        routes::RESTART => {
            let request: RestartRequest = or_default(body)?;
            let definition =
                request.definition.map(|definition| judged(*definition)).transpose()?.map(Box::new);
            Ok(Change::Restart { anew: Anew { environment: environment(request.environment)?, definition } })
        }
        routes::RELOAD => reload(or_default(body)?),
        routes::SCALE => {
            let request: ScaleRequest = read(body)?;
            let accepted = || {
                format!(
                    "`to`: found `{}`, accepted: a number from 1 to {MOST_INSTANCES}, `+1`, `-1`",
                    request.to
                )
            };
            scale_to(&request.to).map(Change::Scale).ok_or_else(|| bad_request(accepted()))
        }
        routes::SIGNAL => {
            let request: SignalRequest = read(body)?;
            let accepted = || {
                format!(
                    "`signal`: found `{}`, accepted: a signal such as `USR2`, `SIGUSR2` or `12`",
                    request.signal
                )
            };
            Signal::parse(&request.signal).map(Change::Signal).ok_or_else(|| bad_request(accepted()))
        }
        routes::SEND => {
            let SendRequest { data, topic } = read(body)?;
            Ok(Change::Send { topic, data })
        }
        _ => Err(bad_request("this changes no app")),
    }
}

/// Whether a change is of whole apps only.
pub fn needs_whole_app(change: &Change) -> bool {
    match change {
        Change::Delete | Change::Scale(_) | Change::Follow { .. } => true,
        Change::Restart { anew } | Change::Reload { anew, .. } | Change::Check { anew } => {
            anew.definition.is_some()
        }
        _ => false,
    }
}

/// What the change is called.
pub fn operation(change: &Change) -> Operation {
    match change {
        Change::Start => Operation::Start,
        Change::Stop => Operation::Stop,
        Change::Restart { .. } => Operation::Restart,
        Change::Reload { .. } => Operation::Reload,
        Change::Check { .. } => Operation::Check,
        Change::Delete => Operation::Delete,
        Change::Scale(_) | Change::Follow { .. } => Operation::Scale,
        Change::Signal(_) => Operation::Signal,
        Change::Reset => Operation::Reset,
        Change::Flush => Operation::Flush,
        Change::Send { .. } => Operation::Send,
    }
}

/// The app that is to be added.
///
/// # Errors
/// When the body is not such a request.
pub fn start(body: &[u8]) -> Result<StartRequest, Problem> {
    judged(read(body)?)
}

fn judged(request: StartRequest) -> Result<StartRequest, Problem> {
    let nul = |word: &OsString| word.as_bytes().contains(&0);
    let mut problems = of_variables(&variables(request.environment.clone()));
    let declared = request.declared.iter().flat_map(|declared| declared.variables.clone());
    let declared = declared.map(|(name, value)| (name, value.unwrap_or_else(|| Text::Utf8(String::new()))));
    problems.extend(of_variables(&variables(declared.collect())));
    if request.words.is_empty() {
        problems.push("`words`: found none, accepted: at least a COMMAND or a FILE".to_owned());
    }
    if request.words.iter().cloned().map(OsString::from).any(|word| nul(&word))
        || nul(&request.directory.clone().into())
    {
        problems.push("a word or the directory has a NUL character in it".to_owned());
    }
    several(problems)?;
    Ok(request)
}

/// The body as JSON.
///
/// # Errors
/// Where and why it cannot be read.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() {
        return Err(bad_request("a body in JSON is wanted; docs/control-api.md shows it"));
    }
    serde_json::from_slice(body)
        .map_err(|error| bad_request(format!("the body cannot be read as JSON: {error}")))
}

/// The body as JSON; what is left out is as by default, and so is all where there is no body.
pub fn or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() { Ok(T::default()) } else { read(body) }
}

#[derive(serde::Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A body that may be absent or `{}`.
pub fn nothing(body: &[u8]) -> Result<(), Problem> {
    or_default(body).map(|Nothing {}| ())
}

fn reload(request: ReloadRequest) -> Result<Change, Problem> {
    let variables = request.environment.map(variables);
    let mut problems = variables.as_ref().map(|variables| of_variables(variables)).unwrap_or_default();
    let given = request.parallel.is_some();
    let parallel = match request.parallel.as_deref() {
        None => Some(Parallel::Number(NonZeroU32::MIN)),
        Some("all") => Some(Parallel::All),
        Some(text) => count(text).map(Parallel::Number),
    };
    if parallel.is_none() {
        let found = request.parallel.unwrap_or_default();
        problems.push(format!(
            "`parallel`: found `{found}`, accepted: a number from 1 to {MOST_INSTANCES}, `all`"
        ));
    }
    let strategy = match request.strategy.as_deref() {
        None if given => Some(ReloadStrategy::Rolling),
        None => None,
        Some("rolling") => Some(ReloadStrategy::Rolling),
        Some("fleet") => Some(ReloadStrategy::Fleet),
        Some(found) => {
            problems.push(format!("`strategy`: found `{found}`, accepted: `rolling`, `fleet`"));
            None
        }
    };
    if given && strategy == Some(ReloadStrategy::Fleet) {
        problems.push("`parallel`: a fleet is replaced in one step, so accepted: none".to_owned());
    }
    several(problems)?;
    let definition = request.definition.map(|definition| judged(*definition)).transpose()?.map(Box::new);
    let anew = Anew { environment: variables, definition };
    Ok(match parallel {
        Some(parallel) if !request.dry_run => Change::Reload { strategy, parallel, anew },
        Some(_) | None => Change::Check { anew },
    })
}

fn scale_to(text: &str) -> Option<ScaleTo> {
    if let Some(more) = text.strip_prefix('+') {
        return count(more).map(|more| ScaleTo::More(more.get()));
    }
    match text.strip_prefix('-') {
        Some(fewer) => count(fewer).map(|fewer| ScaleTo::Fewer(fewer.get())),
        None => count(text).map(ScaleTo::Exactly),
    }
}

fn count(text: &str) -> Option<NonZeroU32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|count: &NonZeroU32| digits && count.get() <= MOST_INSTANCES)
}

fn environment(environment: Option<Environment>) -> Result<Option<Variables>, Problem> {
    let Some(variables) = environment.map(variables) else { return Ok(None) };
    several(of_variables(&variables))?;
    Ok(Some(variables))
}

fn variables(environment: Environment) -> Variables {
    environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// What would make no environment: the kernel takes `NAME=value`, ended by NUL.
fn of_variables(variables: &[(OsString, OsString)]) -> Vec<String> {
    let is_wrong = |name: &OsStr, value: &OsStr| {
        let name = name.as_bytes();
        name.is_empty() || name.contains(&b'=') || name.contains(&0) || value.as_bytes().contains(&0)
    };
    let wrong = variables.iter().filter(|(name, value)| is_wrong(name, value));
    wrong.map(|(name, _)| format!("`environment`: `{}` is no variable", name.to_string_lossy())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_strategy_is_taken_and_a_number_at_a_time_makes_it_rolling() {
        let strategy = |body: &str| match change(routes::RELOAD, body.as_bytes()).unwrap() {
            Change::Reload { strategy, .. } => strategy,
            other => panic!("{other:?}"),
        };
        assert_eq!(strategy(r#"{"strategy":"fleet"}"#), Some(ReloadStrategy::Fleet));
        assert_eq!(strategy(r#"{"parallel":"2"}"#), Some(ReloadStrategy::Rolling));
        assert_eq!(strategy("{}"), None);
        for wrong in [r#"{"strategy":"fleet","parallel":"2"}"#, r#"{"strategy":"big-bang"}"#] {
            let problem = change(routes::RELOAD, wrong.as_bytes()).unwrap_err();
            assert!(problem.message.contains("accepted: "), "{problem:?}");
        }
    }

    #[test]
    fn an_absent_body_means_the_defaults() {
        let one = Parallel::Number(NonZeroU32::MIN);
        assert_eq!(
            change(routes::RELOAD, b"").unwrap(),
            Change::Reload { strategy: None, parallel: one, anew: Anew::default() }
        );
        assert_eq!(change(routes::RESTART, b" \n").unwrap(), Change::Restart { anew: Anew::default() });
        assert_eq!(change(routes::STOP, b"{}").unwrap(), Change::Stop);
    }

    #[test]
    fn bodies_become_changes() {
        let reload = change(routes::RELOAD, br#"{"parallel":"all","environment":[["A",[255]]]}"#).unwrap();
        let Change::Reload {
            parallel: Parallel::All, anew: Anew { environment: Some(variables), .. }, ..
        } = reload
        else {
            panic!("{reload:?}")
        };
        assert_eq!(variables, [("A".into(), OsStr::from_bytes(&[255]).to_owned())]);
        assert_eq!(
            change(routes::RELOAD, br#"{"dry_run":true}"#).unwrap(),
            Change::Check { anew: Anew::default() }
        );
        let scale = |to: &str| change(routes::SCALE, format!(r#"{{"to":"{to}"}}"#).as_bytes());
        assert_eq!(scale("4").unwrap(), Change::Scale(ScaleTo::Exactly(NonZeroU32::new(4).unwrap())));
        assert_eq!(scale("+2").unwrap(), Change::Scale(ScaleTo::More(2)));
        assert_eq!(scale("-1").unwrap(), Change::Scale(ScaleTo::Fewer(1)));
        let signal = change(routes::SIGNAL, br#"{"signal":"SIGHUP"}"#).unwrap();
        assert_eq!(signal, Change::Signal(Signal::HUP));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let told = |route, body: &str| {
            let problem = change(route, body.as_bytes()).unwrap_err();
            assert_eq!(problem.code, "bad_request");
            format!("{} {:?}", problem.message, problem.details)
        };
        insta::assert_snapshot!([
            told(routes::SCALE, ""),
            told(routes::SCALE, r#"{"to":"0"}"#),
            told(routes::SCALE, r#"{"to":"++1"}"#),
            told(routes::SIGNAL, r#"{"signal":"NOPE"}"#),
            told(routes::STOP, r#"{"force":true}"#),
            told(routes::RELOAD, r#"{"parallel":"many","environment":[["A=B","c"],["","d"]]}"#),
            told(routes::RESTART, r#"{"environment":[["A","\u0000"]]}"#),
            told(routes::RELOAD, "{"),
        ].join("\n"), @r#"
        a body in JSON is wanted; docs/control-api.md shows it []
        `to`: found `0`, accepted: a number from 1 to 1024, `+1`, `-1` []
        `to`: found `++1`, accepted: a number from 1 to 1024, `+1`, `-1` []
        `signal`: found `NOPE`, accepted: a signal such as `USR2`, `SIGUSR2` or `12` []
        the body cannot be read as JSON: unknown field `force`, there are no fields at line 1 column 8 []
        3 things are wrong with the request ["`environment`: `A=B` is no variable", "`environment`: `` is no variable", "`parallel`: found `many`, accepted: a number from 1 to 1024, `all`"]
        `environment`: `A` is no variable ["`environment`: `A` is no variable"]
        the body cannot be read as JSON: EOF while parsing an object at line 1 column 1 []
        "#);
    }

    #[test]
    fn an_app_to_be_added_needs_words() {
        let body = br#"{"words":["a.js"],"directory":"/srv","environment":[["A","b"]]}"#;
        assert_eq!(start(body).unwrap().environment.len(), 1);
        let problem = start(br#"{"words":[],"directory":"/\u0000","environment":[["=","b"]]}"#).unwrap_err();
        assert_eq!(problem.details.len(), 3, "{problem:?}");
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(at in 0..routes::ALL.len(), body: Vec<u8>) {
            let _ = change(routes::ALL[at], &body);
            let _ = start(&body);
        }
    }
}
