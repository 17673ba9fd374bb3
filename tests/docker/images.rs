//! The images that the Dockerfiles build, on stand-ins for their base images (see `docker/bases.rs`). Nothing is fetched: of the
//! Dockerfiles, only the stage that compiles is replaced, by the binary under test, and what would install packages is left out.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::{env, fs};

use crate::bases;
use crate::engine::Engine;

/// The Dockerfile's target `runtime`.
pub(crate) const RUNTIME_IMAGE: &str = "test-runtime";
/// The Dockerfile's target `example`.
pub(crate) const EXAMPLE_IMAGE: &str = "test-example";
/// The stand-in for the Node image with the runtime as its entry point and the server of this directory in /app.
pub(crate) const FIXTURE_IMAGE: &str = "test-fixture";

pub(crate) const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
const BINARY: &str = env!("CARGO_BIN_EXE_pmr-runtime");

/// Makes the images of the Dockerfile.
#[track_caller]
pub(crate) fn make_all(engine: &Engine) {
    let context = tempfile::tempdir().expect("a temporary directory can be made");
    let dockerfile = dockerfile();

    bases::make_node(engine, &default_of(&dockerfile, "NODE_IMAGE"));

    fs::write(context.path().join("Dockerfile"), without_compiling(&dockerfile))
        .expect("a fresh directory takes a file");
    let out = context.path().join("out");
    fs::create_dir(&out).expect("a fresh directory takes a directory");
    fs::copy(BINARY, out.join("pmr-runtime")).expect("the binary can be copied");
    symlink("pmr-runtime", out.join("pmr")).expect("a fresh directory takes a link");
    copy_files(&Path::new(REPOSITORY).join("examples/node"), &context.path().join("examples/node"));
    fs::copy(format!("{REPOSITORY}/tests/docker/server.js"), context.path().join("server.js"))
        .expect("the server can be copied");
    build(engine, context.path(), &["--target", "runtime"], RUNTIME_IMAGE);
    build(engine, context.path(), &["--target", "example"], EXAMPLE_IMAGE);
    build(engine, context.path(), &["--target", "fixture"], FIXTURE_IMAGE);
}

/// Makes the image of an example that has a Dockerfile of its own, on what `base` makes; gives its name.
#[track_caller]
pub(crate) fn make_example(engine: &Engine, example: &str, base: fn(&Engine, &str)) -> String {
    let context = tempfile::tempdir().expect("a temporary directory can be made");
    copy_files(&Path::new(REPOSITORY).join("examples").join(example), context.path());
    let file = context.path().join("Dockerfile");
    let dockerfile = fs::read_to_string(&file).expect("the example has a Dockerfile");
    let from: Vec<&str> = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    let ["pmr-runtime AS runtime", image] = from[..] else { panic!("its stages are {from:?}") };

    engine.docker(&["tag", RUNTIME_IMAGE, "pmr-runtime"]);
    base(engine, image);
    let fetching = |line: &&str| line.starts_with("RUN pip install ");
    let lines: Vec<&str> = dockerfile.lines().filter(|line| !fetching(line)).collect();
    fs::write(&file, lines.join("\n")).expect("it was written before");
    let name = format!("test-{example}");
    build(engine, context.path(), &[], &name);
    name
}

#[track_caller]
pub(crate) fn build(engine: &Engine, context: &Path, options: &[&str], image: &str) {
    let words = ["build", "--network=none", "--tag", image];
    engine.docker(&[&words, options, &[&*context.to_string_lossy()]].concat());
}

pub(crate) fn dockerfile() -> String {
    fs::read_to_string(format!("{REPOSITORY}/Dockerfile")).expect("the Dockerfile can be read")
}

/// The default of a build argument.
pub(crate) fn default_of(dockerfile: &str, argument: &str) -> String {
    let prefix = format!("ARG {argument}=");
    let found = dockerfile.lines().find_map(|line| line.strip_prefix(&prefix));
    found.unwrap_or_else(|| panic!("the Dockerfile has no line `{prefix}…`")).to_owned()
}

/// The Dockerfile with its first stage replaced, and one more for the test's own server.
fn without_compiling(dockerfile: &str) -> String {
    let (head, rest) = dockerfile
        .split_once("\nFROM --platform=${BUILDER} ${RUST_IMAGE} AS build\n")
        .expect("the first stage compiles");
    let (_, stages) = rest.split_once("\nFROM ").expect("there are more stages");
    format!(
        "{head}\nFROM scratch AS build\nCOPY out /out\n\nFROM {stages}\n\
         FROM ${{NODE_IMAGE}} AS fixture\n\
         COPY --from=runtime / /usr/local/bin/\n\
         COPY server.js /app/server.js\n\
         ENTRYPOINT [\"pmr-runtime\"]\n"
    )
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a fresh directory takes a directory");
    for entry in fs::read_dir(from).expect("the directory can be read") {
        let entry = entry.expect("the directory can be read");
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("it can be copied");
        }
    }
}
