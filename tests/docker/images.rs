//! The images: a stand-in for the official Node image, made of this machine's own files, and the two that the Dockerfile
//! builds. Nothing is fetched; of the Dockerfile, only the stage that compiles is replaced, by the binary under test.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::engine::Engine;

/// The Dockerfile's target `runtime`.
pub(crate) const RUNTIME_IMAGE: &str = "test-runtime";
/// The Dockerfile's target `example`.
pub(crate) const EXAMPLE_IMAGE: &str = "test-example";
/// The stand-in for the Node image with the runtime as its entry point and the server of this directory in /app.
pub(crate) const FIXTURE_IMAGE: &str = "test-fixture";

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
const BINARY: &str = env!("CARGO_BIN_EXE_pmr-runtime");

/// Makes every image.
#[track_caller]
pub(crate) fn make_all(engine: &Engine) {
    let context = tempfile::tempdir().expect("a temporary directory can be made");
    let dockerfile =
        fs::read_to_string(format!("{REPOSITORY}/Dockerfile")).expect("the Dockerfile can be read");

    let node_image = default_of(&dockerfile, "NODE_IMAGE");
    make_node_image(engine, &node_image);

    fs::write(context.path().join("Dockerfile"), without_compiling(&dockerfile))
        .expect("a fresh directory takes a file");
    let out = context.path().join("out");
    fs::create_dir(&out).expect("a fresh directory takes a directory");
    fs::copy(BINARY, out.join("pmr-runtime")).expect("the binary can be copied");
    symlink("pmr-runtime", out.join("pmr")).expect("a fresh directory takes a link");
    copy_tree(&Path::new(REPOSITORY).join("examples/node"), &context.path().join("examples/node"));
    fs::copy(format!("{REPOSITORY}/tests/docker/server.js"), context.path().join("server.js"))
        .expect("the server can be copied");
    build(engine, context.path(), "runtime", RUNTIME_IMAGE);
    build(engine, context.path(), "example", EXAMPLE_IMAGE);
    build(engine, context.path(), "fixture", FIXTURE_IMAGE);
}

fn build(engine: &Engine, context: &Path, target: &str, image: &str) {
    engine.docker(&[
        "build",
        "--network=none",
        "--target",
        target,
        "--tag",
        image,
        &context.to_string_lossy(),
    ]);
}

/// The default of a build argument.
fn default_of(dockerfile: &str, argument: &str) -> String {
    let prefix = format!("ARG {argument}=");
    let found = dockerfile.lines().find_map(|line| line.strip_prefix(&prefix));
    found.unwrap_or_else(|| panic!("the Dockerfile has no line `{prefix}…`")).to_owned()
}

/// The Dockerfile with its first stage replaced, and one more for the test's own server.
fn without_compiling(dockerfile: &str) -> String {
    let (head, rest) =
        dockerfile.split_once("\nFROM ${RUST_IMAGE} AS build\n").expect("the first stage compiles");
    let (_, stages) = rest.split_once("\nFROM ").expect("there are more stages");
    format!(
        "{head}\nFROM scratch AS build\nCOPY out /out\n\nFROM {stages}\n\
         FROM ${{NODE_IMAGE}} AS fixture\n\
         COPY --from=runtime / /usr/local/bin/\n\
         COPY server.js /app/server.js\n\
         ENTRYPOINT [\"pmr-runtime\"]\n"
    )
}

/// A root directory with node, a shell, the libraries they load, and the user that the official image has.
fn make_node_image(engine: &Engine, image: &str) {
    let root = tempfile::tempdir().expect("a temporary directory can be made");
    let root = root.path();
    for directory in ["etc", "tmp", "usr/local/bin", "bin"] {
        fs::create_dir_all(root.join(directory)).expect("a fresh directory takes a directory");
    }
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("its owner may set a mode");
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))
        .expect("its owner may set a mode");
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/:/bin/sh\n")
        .expect("it takes a file");

    let node = node();
    let shell = fs::canonicalize("/bin/sh").expect("this machine has a shell");
    for library in
        [&node, &shell].into_iter().flat_map(|program| libraries_of(program)).collect::<BTreeSet<_>>()
    {
        let to = root.join(library.strip_prefix("/").expect("ldd names absolute paths"));
        fs::create_dir_all(to.parent().expect("a file has a directory")).expect("a directory can be made");
        fs::copy(&library, to).expect("a library can be copied");
    }
    fs::copy(node, root.join("usr/local/bin/node")).expect("node can be copied");
    fs::copy(shell, root.join("bin/sh")).expect("a shell can be copied");
    engine.import(root, image);
}

/// The tests' own node, else the first on PATH.
fn node() -> PathBuf {
    let tools = env::var_os("PMR_TEST_TOOLS")
        .map_or_else(|| Path::new(REPOSITORY).join(".work/tools"), PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(tools.join("node22/bin"))
        .chain(env::split_paths(&path))
        .map(|directory| directory.join("node"))
        .find(|file| file.is_file());
    found.expect("node is installed (`scripts/setup` does)")
}

/// The shared libraries and the loader of a program, by the paths at which it looks for them.
fn libraries_of(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("`ldd` can be run");
    let listed = String::from_utf8_lossy(&output.stdout);
    listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a fresh directory takes a directory");
    for entry in fs::read_dir(from).expect("the directory can be read") {
        let entry = entry.expect("the directory can be read");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("the examples are plain files");
    }
}
