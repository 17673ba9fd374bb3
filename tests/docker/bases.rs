//! Stand-ins for the base images that the Dockerfiles name, made of this machine's own files: the program with the libraries that it
//! loads, a shell, and the user that the real image has. Nothing is fetched.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use tempfile::TempDir;

use crate::engine::Engine;
use crate::images::REPOSITORY;

/// Parts of Python's library that no server asks for, and that are large or load what is not there.
const LEFT_OUT: [&str; 10] = [
    "__pycache__",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "site-packages",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
];

/// Where the real one puts what it has compiled for `--target`.
const CARGO: &str = r#"#!/bin/sh
words="$*"
while [ "$1" != --target ]; do shift; done
mkdir -p "target/$2/release"
echo "$words" > "target/$2/release/pmr-runtime"
"#;

/// Makes the Node image.
#[track_caller]
pub(crate) fn make_node(engine: &Engine, image: &str) {
    let root = Root::new(Some("node"));
    root.take(&node(), "usr/local/bin/node");
    root.import(engine, image);
}

/// Makes the Bun image.
#[track_caller]
pub(crate) fn make_bun(engine: &Engine, image: &str) {
    let root = Root::new(Some("bun"));
    root.take(&tools().join("bun/bun"), "usr/local/bin/bun");
    root.import(engine, image);
}

/// Makes the Python image, with what `pip install` would add for the example. The real one has no user 1000 by name.
#[track_caller]
pub(crate) fn make_python(engine: &Engine, image: &str) {
    let venv = tools().join("venv/bin");
    let question = "import os, sys, sysconfig as s\n\
        for it in os.path.realpath(sys.executable), s.get_path('stdlib'), s.get_path('purelib'): print(it)";
    let output = Command::new(venv.join("python")).args(["-c", question]).output();
    let told =
        String::from_utf8(output.expect("the tests' Python can be run").stdout).expect("paths are text");
    let paths: Vec<&Path> = told.lines().map(Path::new).collect();
    let [interpreter, library, packages] = paths[..] else { panic!("Python told {told:?}") };

    let root = Root::new(None);
    // Where it was, since it finds its library from there.
    root.take(interpreter, inside(interpreter));
    root.link(interpreter, "usr/local/bin/python3");
    root.take_tree(library, inside(library), &LEFT_OUT);
    // Among the library is where every build of Python looks.
    root.take_tree(packages, inside(library), &["__pycache__", "pip", "setuptools"]);
    let script = fs::read_to_string(venv.join("uvicorn")).expect("uvicorn's script can be read");
    let (_, rest) = script.split_once('\n').expect("it has more than one line");
    root.script("usr/local/bin/uvicorn", &format!("#!{}\n{rest}", interpreter.display()));
    root.import(engine, image);
}

/// Makes the image that compiles, on a machine of `triple`: `cargo` writes the words that it is called with into the place of the binary. All
/// libraries and linkers are there.
#[track_caller]
pub(crate) fn make_rust(engine: &Engine, image: &str, triple: &str) {
    let root = Root::new(None);
    for name in ["cp", "dirname", "ln", "mkdir", "realpath", "sed"] {
        let program = fs::canonicalize(format!("/usr/bin/{name}"))
            .or_else(|_| fs::canonicalize(format!("/bin/{name}")));
        root.take(&program.expect("this machine has it"), format!("bin/{name}"));
    }
    root.script(
        "bin/rustc",
        &format!("#!/bin/sh\nif [ \"$1\" = -vV ]; then echo 'host: {triple}'; else echo /; fi\n"),
    );
    root.script("bin/cargo", CARGO);
    for linker in ["x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc"] {
        root.script(&format!("bin/{linker}"), "#!/bin/sh\nexit 1\n");
    }
    root.import(engine, image);
}

/// A root directory in the making.
struct Root(TempDir);

impl Root {
    /// With a shell, and the user 1000 where it has a name.
    fn new(user: Option<&str>) -> Self {
        let root = Self(tempfile::tempdir().expect("a temporary directory can be made"));
        for directory in ["etc", "tmp", "usr/local/bin", "bin"] {
            fs::create_dir_all(root.path().join(directory)).expect("a fresh directory takes a directory");
        }
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755))
            .expect("its owner may set a mode");
        fs::set_permissions(root.path().join("tmp"), fs::Permissions::from_mode(0o1777))
            .expect("its owner may set a mode");
        let own = user.map_or_else(String::new, |name| format!("{name}:x:1000:1000::/:/bin/sh\n"));
        fs::write(root.path().join("etc/passwd"), format!("root:x:0:0::/root:/bin/sh\n{own}"))
            .expect("it takes a file");
        root.take(&fs::canonicalize("/bin/sh").expect("this machine has a shell"), "bin/sh");
        root
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Copies a program, with the libraries that it loads.
    fn take(&self, program: &Path, to: impl AsRef<Path>) {
        self.take_libraries(program);
        self.take_file(program, to.as_ref());
    }

    fn take_file(&self, from: &Path, to: &Path) {
        let to = self.path().join(to);
        fs::create_dir_all(to.parent().expect("a file has a directory")).expect("a directory can be made");
        fs::copy(from, to).unwrap_or_else(|error| panic!("{} can be copied: {error}", from.display()));
    }

    fn script(&self, to: &str, text: &str) {
        let to = self.path().join(to);
        fs::write(&to, text).expect("it takes a file");
        fs::set_permissions(to, fs::Permissions::from_mode(0o755)).expect("its owner may set a mode");
    }

    fn link(&self, to: &Path, from: &str) {
        symlink(to, self.path().join(from)).expect("it takes a link");
    }

    /// Copies a directory, but for what has one of these names.
    fn take_tree(&self, from: &Path, to: &Path, left_out: &[&str]) {
        for entry in fs::read_dir(from).expect("the directory can be read") {
            let entry = entry.expect("the directory can be read");
            let (path, name) = (entry.path(), entry.file_name());
            let text = name.to_string_lossy();
            if left_out.contains(&&*text) || text.starts_with("config-") || text.starts_with("_tkinter") {
                continue;
            }
            if path.is_dir() {
                self.take_tree(&path, &to.join(&name), left_out);
            } else if text.ends_with(".so") {
                self.take(&path, to.join(&name));
            } else {
                self.take_file(&path, &to.join(&name));
            }
        }
    }

    /// The shared libraries and the loader of a program, to the paths at which it looks for them.
    fn take_libraries(&self, program: &Path) {
        let output = Command::new("ldd").arg(program).output().expect("`ldd` can be run");
        let listed = String::from_utf8_lossy(&output.stdout);
        for library in listed.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new) {
            if !self.path().join(inside(library)).exists() {
                self.take_file(library, inside(library));
            }
        }
    }

    #[track_caller]
    fn import(&self, engine: &Engine, image: &str) {
        engine.import(self.path(), image);
    }
}

/// Where a file of this machine lies in the image.
fn inside(path: &Path) -> &Path {
    path.strip_prefix("/").expect("it is an absolute path")
}

pub(crate) fn tools() -> PathBuf {
    env::var_os("PMR_TEST_TOOLS").map_or_else(|| Path::new(REPOSITORY).join(".work/tools"), PathBuf::from)
}

/// The tests' own node, else the first on PATH.
fn node() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(tools().join("node22/bin"))
        .chain(env::split_paths(&path))
        .map(|directory| directory.join("node"))
        .find(|file| file.is_file());
    found.expect("node is installed (`scripts/setup` does)")
}
