//! From a configuration file to requests for its apps, as a client would send them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::api::text::Text;
use crate::api::types::{Declared, DependencyOf, Environment, Grammar, PortUse, StartRequest};
use crate::config::sources::{Sources, find_in_path};
use crate::ecosystem::declaration::select::FileRequest;
use crate::ecosystem::declaration::translate::{Launch, Launches, World, translate};
use crate::ecosystem::files::{LoadError, load};
use crate::spec::Dependency;

/// The apps that a file declares, and what people should know of it.
#[derive(Debug)]
pub(super) struct Apps {
    /// Each behind those that it needs.
    pub(super) requests: Vec<StartRequest>,
    /// The names of those that are there for others alone.
    pub(super) taken_along: Vec<String>,
    pub(super) remarks: Vec<String>,
}

/// Reads the file, seen from `directory`, and takes out the apps that are meant.
///
/// # Errors
/// All that is wrong with the file.
pub(super) fn apps(request: &FileRequest, sources: &Sources, directory: &Path) -> Result<Apps, LoadError> {
    let launches = launches(request, sources, directory)?;
    let file = request.file.display().to_string();
    let as_request = |launch| start_request(launch, &file, sources, directory);
    let along = launches.apps.iter().filter(|app| app.is_taken_along);
    Ok(Apps {
        taken_along: along.map(|app| app.name.clone()).collect(),
        requests: launches.apps.into_iter().map(as_request).collect(),
        remarks: request
            .remarks
            .iter()
            .cloned()
            .chain(launches.remarks.iter().map(ToString::to_string))
            .collect(),
    })
}

/// The same, as words.
///
/// # Errors
/// As [`apps`].
pub(super) fn launches(
    request: &FileRequest,
    sources: &Sources,
    directory: &Path,
) -> Result<Launches, LoadError> {
    let path = sources.environment().get(OsStr::new("PATH")).map(OsString::as_os_str);
    let document = load(&request.file, directory, &|name| find_in_path(path, name))?;
    let seen_from = |cwd: Option<&Path>, file: &Path| directory.join(cwd.unwrap_or(Path::new(""))).join(file);
    let world = World {
        environment: sources.environment(),
        options: &request.options,
        in_path: &|name| sources.in_path(name),
        is_file: &|cwd, file| seen_from(cwd, file).is_file(),
        read: &|cwd, file| std::fs::read_to_string(seen_from(cwd, file)),
    };
    translate(&request.file.display().to_string(), &document, &request.choice, &world)
        .map_err(LoadError::Problems)
}

fn start_request(launch: Launch, file: &str, sources: &Sources, directory: &Path) -> StartRequest {
    let text = |word: &OsString| Text::from(word.as_os_str());
    let variables = launch.environment.iter().map(|(name, value)| (text(name), value.as_ref().map(text)));
    StartRequest {
        words: launch.words.iter().map(text).collect(),
        grammar: Grammar::Run,
        name: None,
        instances: None,
        directory: Text::from(directory.as_os_str()),
        environment: environment(sources),
        declared: Some(Declared {
            file: file.to_owned(),
            app: launch.name,
            settings: launch.settings.iter().map(|name| (*name).to_owned()).collect(),
            variables: variables.collect(),
            instance_var: launch.instance_var,
            increment_var: launch.increment_var,
            depends_on: launch
                .depends_on
                .into_iter()
                .map(|Dependency { app, until }| DependencyOf { app, until })
                .collect(),
            namespace: launch.namespace,
            instances_by: launch.instances_by.map(str::to_owned),
            port: if launch.has_port_of_its_own { PortUse::Free } else { PortUse::Served },
        }),
    }
}

/// Our environment, as a request holds it.
fn environment(sources: &Sources) -> Environment {
    let pairs = sources.environment().iter();
    pairs.map(|(name, value)| (Text::from(name.as_os_str()), Text::from(value.as_os_str()))).collect()
}

/// Our own directory; the root where it was removed under us.
pub(super) fn directory() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_removed| PathBuf::from("/"))
}
