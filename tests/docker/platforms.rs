//! The whole Dockerfile, built by BuildKit for a platform. What compiles is a stand-in that writes down what it is asked for, since the
//! real one takes minutes; all else is as its users have it.

use std::path::Path;

use crate::bases;
use crate::engine::Engine;
use crate::images::{self, REPOSITORY};

/// One of Docker's architectures: its name, that of Rust for it, and whether this machine is of it.
pub(crate) struct Architecture {
    pub(crate) name: &'static str,
    pub(crate) triple: &'static str,
    pub(crate) is_here: bool,
}

pub(crate) const ARCHITECTURES: [Architecture; 2] = [
    Architecture { name: "amd64", triple: "x86_64-unknown-linux-gnu", is_here: cfg!(target_arch = "x86_64") },
    Architecture {
        name: "arm64",
        triple: "aarch64-unknown-linux-gnu",
        is_here: cfg!(target_arch = "aarch64"),
    },
];

impl Architecture {
    /// That of this machine.
    pub(crate) fn here() -> &'static Self {
        ARCHITECTURES.iter().find(|it| it.is_here).expect("this machine is of one of them")
    }
}

/// Makes the target `runtime` for an architecture; gives the image's name. What it holds in the binary's place is the words that
/// `cargo` was called with.
#[track_caller]
pub(crate) fn make(engine: &Engine, architecture: &Architecture) -> String {
    let image = format!("test-runtime-{}", architecture.name);
    let platform = format!("linux/{}", architecture.name);
    let words = ["build", "--platform", &platform, "--target", "runtime", "--network", "none"];
    make_base(engine);
    engine.buildx(&[&words[..], &["--progress", "plain", "--tag", &image, REPOSITORY]].concat());
    image
}

/// The same by the builder that knows of no platforms.
#[track_caller]
pub(crate) fn make_by_classic_builder(engine: &Engine) -> String {
    let image = "test-runtime-classic".to_owned();
    make_base(engine);
    images::build(engine, Path::new(REPOSITORY), &["--target", "runtime"], &image);
    image
}

fn make_base(engine: &Engine) {
    let image = images::default_of(&images::dockerfile(), "RUST_IMAGE");
    bases::make_rust(engine, &image, Architecture::here().triple);
}
