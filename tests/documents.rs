//! The documents and the container and Heroku files: links lead somewhere, lists are whole, formats hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Markdown file of the root, docs/ and examples/.
fn documents() -> Vec<PathBuf> {
    let directories = ["", "docs", "examples"].map(|name| repository().join(name));
    let entries =
        directories.iter().flat_map(|directory| fs::read_dir(directory).expect("the directory is there"));
    let files = entries.map(|entry| entry.expect("the directory can be read").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The targets of `[text](target)` that are paths of this repository.
fn local_links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://")).filter_map(|target| target.split('#').next())
}

#[test]
fn every_link_between_documents_leads_to_a_file() {
    let mut checked = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("the document can be read");
        for link in local_links(&text) {
            let target = document.parent().expect("a file has a directory").join(link);
            assert!(target.exists(), "{}: `{link}` leads nowhere", document.display());
            checked += 1;
        }
    }
    assert!(checked > 10, "only {checked} links found: the search is broken");
}

#[test]
fn the_index_names_every_page() {
    let index = read("docs/README.md");
    let named: BTreeSet<&str> = local_links(&index).collect();
    for entry in fs::read_dir(repository().join("docs")).expect("docs/ is there") {
        let name = entry.expect("docs/ can be read").file_name().into_string().expect("it is UTF-8");
        let is_page = name.ends_with(".md") || name.ends_with(".json");
        assert!(
            !is_page || name == "README.md" || named.contains(name.as_str()),
            "docs/README.md lacks {name}"
        );
    }
}

/// The names of the crates in one section of Cargo.toml.
fn crates_of(section: &str) -> BTreeSet<String> {
    let manifest = read("Cargo.toml");
    let (_, rest) = manifest.split_once(&format!("\n[{section}]\n")).expect("the section is there");
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_page_on_dependencies_names_each_crate_of_the_manifest_and_no_other() {
    let page = read("docs/dependencies.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    let named: BTreeSet<String> =
        first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    let used: BTreeSet<String> =
        crates_of("dependencies").union(&crates_of("dev-dependencies")).cloned().collect();
    assert_eq!(named, used);
}

/// `web: COMMAND`, as both of Heroku's readers of Procfiles take it.
fn process_types(procfile: &str) -> Vec<(String, String)> {
    let lines = procfile.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once(':').unwrap_or_else(|| panic!("`{line}` has no colon")));
    pairs.map(|(name, command)| (name.to_owned(), command.trim().to_owned())).collect()
}

#[test]
fn every_procfile_runs_its_web_process_under_the_runtime() {
    for path in [
        "Procfile",
        "examples/node/Procfile",
        "examples/express/Procfile",
        "examples/python/Procfile",
        "examples/bun/Procfile",
    ] {
        let types = process_types(&read(path));
        let [(name, command)] = types.as_slice() else { panic!("{path}: {types:?}") };
        assert_eq!(name, "web", "{path}");
        assert!(command.starts_with("pmr-runtime "), "{path}: {command}");
        let directory = repository().join(path).parent().expect("a file has a directory").to_owned();
        let script = command.split(' ').find(|word| word.ends_with("js") || word.ends_with(".ts"));
        assert!(script.is_none_or(|script| directory.join(script).is_file()), "{path}: {command}");
    }
}

/// The type that Heroku's schema gives each key of app.json. Other keys are not Heroku's.
fn is_valid_entry(key: &str, value: &Value) -> bool {
    match key {
        "name" => value.as_str().is_some_and(|name| (3..=30).contains(&name.len())),
        "description" | "website" | "repository" | "logo" | "success_url" | "image" => value.is_string(),
        "stack" => value.as_str().is_some_and(|stack| stack == "container" || stack.starts_with("heroku-")),
        "keywords" => value.as_array().is_some_and(|words| words.iter().all(Value::is_string)),
        "scripts" => value.as_object().is_some_and(|scripts| scripts.values().all(Value::is_string)),
        "env" => value.as_object().is_some_and(|env| env.values().all(is_valid_variable)),
        "formation" => value.as_object().is_some_and(|types| types.values().all(is_valid_formation)),
        "addons" => value.is_array(),
        "buildpacks" => {
            value.as_array().is_some_and(|packs| packs.iter().all(|pack| pack["url"].is_string()))
        }
        "environments" => value.is_object(),
        _ => false,
    }
}

fn is_valid_variable(variable: &Value) -> bool {
    let Some(fields) = variable.as_object() else { return variable.is_string() };
    fields.iter().all(|(field, value)| match field.as_str() {
        "description" | "value" => value.is_string(),
        "required" => value.is_boolean(),
        "generator" => value == "secret",
        _ => false,
    })
}

fn is_valid_formation(formation: &Value) -> bool {
    let Some(fields) = formation.as_object() else { return false };
    fields.iter().all(|(field, value)| match field.as_str() {
        "quantity" => value.is_u64(),
        "size" => value.is_string(),
        _ => false,
    })
}

#[test]
fn app_json_is_valid_by_herokus_schema() {
    let app: Value = serde_json::from_str(&read("app.json")).expect("app.json is JSON");
    for (key, value) in app.as_object().expect("app.json is an object") {
        assert!(is_valid_entry(key, value), "app.json: `{key}` is not as Heroku wants it: {value}");
    }
    assert_eq!(app["stack"], "container", "heroku.yml builds an image");
}

#[test]
fn heroku_yml_builds_a_stage_that_the_dockerfile_has() {
    let target = read("heroku.yml");
    let target =
        target.lines().find_map(|line| line.trim().strip_prefix("target: ")).expect("it names a target");
    let stage = format!(" AS {target}");
    assert!(
        read("Dockerfile").lines().any(|line| line.starts_with("FROM ") && line.ends_with(&stage)),
        "no stage `{target}`"
    );
}

#[test]
fn every_dockerfile_of_an_app_leaves_no_shell_between_docker_and_the_app() {
    for path in
        ["Dockerfile", "examples/express/Dockerfile", "examples/python/Dockerfile", "examples/bun/Dockerfile"]
    {
        let text = read(path);
        assert!(text.contains(" CMD [\"pmr\", \"ping\"]\n"), "{path} has no HEALTHCHECK");
        assert!(text.contains("\nENTRYPOINT [\"pmr-runtime\"]\n"), "{path}");
        assert!(text.contains("\nSTOPSIGNAL SIGTERM\n"), "{path}");
        let command =
            text.lines().filter_map(|line| line.strip_prefix("CMD ")).next_back().expect("it has a CMD");
        let words: Vec<String> =
            serde_json::from_str(command).unwrap_or_else(|error| panic!("{path}: {command}: {error}"));
        assert!(words[0] != "sh" || words[2].starts_with("exec "), "{path}: {command}");
    }
}

#[test]
fn the_image_and_the_chart_are_of_the_version_that_is_built() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(read("Dockerfile").contains(&format!("\nARG VERSION={version}\n")));
    let chart = read("deploy/helm/pmr-runtime/Chart.yaml");
    assert!(chart.contains(&format!("\nversion: {version}\nappVersion: {version}\n")), "{chart}");
}

/// By the names of <https://github.com/opencontainers/image-spec/blob/main/annotations.md>.
#[test]
fn the_image_says_what_it_is_by_the_names_of_the_oci() {
    let text = read("Dockerfile");
    for name in ["title", "description", "url", "source", "documentation", "licenses", "version", "revision"]
    {
        assert_eq!(text.matches(&format!("org.opencontainers.image.{name}=\"")).count(), 1, "{name}");
    }
}

#[test]
fn the_list_of_what_is_in_the_binary_has_every_crate_with_its_checksum_and_no_crate_of_tests() {
    let list = || {
        let output = std::process::Command::new(repository().join("scripts/sbom")).output();
        let output = output.expect("python3 is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let text = list();
    assert_eq!(text, list());
    let bill: Value = serde_json::from_slice(&text).expect("it is JSON");
    let components = bill["components"].as_array().expect("there are some");
    let names: BTreeSet<String> =
        components.iter().filter_map(|it| it["name"].as_str()).map(str::to_owned).collect();
    assert!(names.is_superset(&crates_of("dependencies")), "{names:?}");
    for name in ["proptest", "insta", "tempfile", "jsonschema"] {
        assert!(!names.contains(name), "{name}");
    }
    for component in components {
        assert_eq!(component["hashes"][0]["content"].as_str().map(str::len), Some(64), "{component}");
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
    }
    assert_eq!(bill["dependencies"].as_array().map(Vec::len), Some(components.len() + 1));
}

#[test]
fn the_docker_build_is_given_every_file_that_it_copies() {
    let ignored = read(".dockerignore");
    let kept: BTreeSet<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for line in
        read("Dockerfile").lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from"))
    {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        let (_, sources) = words.split_last().expect("COPY has a target");
        for source in sources {
            assert!(repository().join(source).exists(), "`{line}`: no `{source}`");
            let mut folders = Path::new(source).ancestors().filter_map(Path::to_str);
            assert!(folders.any(|it| kept.contains(it)), "`{line}`: .dockerignore keeps `{source}` out");
        }
    }
}

/// Else the builder would have to emulate that machine.
#[test]
fn an_image_for_another_machine_is_made_without_running_a_program_of_it() {
    let text = read("Dockerfile");
    let (_, build) =
        text.split_once("\nFROM --platform=${BUILDER} ").expect("one stage is the builder's own");
    let (_, images) = build.split_once("\nFROM ").expect("there are more stages");
    assert!(!images.contains("\nRUN "), "{images}");
}

/// The build fails at once where Cargo.toml names a file, of a benchmark say, that the Dockerfile does not copy.
#[test]
fn the_docker_build_can_do_without_the_files_that_it_does_not_copy() {
    let context = tempfile::tempdir().expect("a temporary directory can be made");
    let sources = ["Cargo.toml", "Cargo.lock", "src"].map(|name| repository().join(name));
    let copied =
        Command::new("cp").arg("-r").args(sources).arg(context.path()).output().expect("`cp` can be run");
    assert!(copied.status.success(), "{copied:?}");

    // A target that is not there makes cargo read all it needs for a build, and then build nothing.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--locked", "--bin", "absent"]).current_dir(context.path());
    let refused = cargo.output().expect("`cargo` can be run");
    let reason = String::from_utf8_lossy(&refused.stderr);
    assert!(reason.contains("no bin target named `absent`"), "{reason}");
}
