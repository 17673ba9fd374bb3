//! Configuration files: in every form, by every interpreter; in the foreground, in the background, and checked.

use std::os::unix::fs::symlink;

use super::home::{Home, outputs};
use crate::support::fixtures::tool;
use crate::support::http::get;
use crate::support::ports::free_port;
use crate::support::wait;

/// An app that tells who it is, and goes on.
const TELLER: &str = "console.log([process.env.name, process.env.WHO, process.env.APP_ID, process.argv.slice(2)].join()); \
                      setInterval(() => {}, 1000);";

/// With `teller.js` in it.
fn home() -> Home {
    let home = Home::new();
    home.write("teller.js", TELLER);
    home
}

/// What `pmr validate FILE` says where PATH has nothing but this program, under this name.
#[track_caller]
fn validate_by(home: &Home, name: &str, program: &str, file: &str, status: i32) -> String {
    let directory = home.path().join(format!("only-{program}-{name}"));
    if !directory.exists() {
        std::fs::create_dir(&directory).unwrap();
        symlink(tool(program), directory.join(name)).unwrap();
    }
    let words = ["validate", file];
    let (result, told) =
        outputs(&home.command("pmr", &words).env("PATH", &directory).output().unwrap(), status, &words);
    result + &told
}

#[test]
fn a_program_is_evaluated_by_every_node_and_by_bun() {
    let home = home();
    home.write(
        "common.config.js",
        "console.log('noise'); module.exports = { apps: [{ script: 'x.js', name: 'a' }] };",
    );
    home.write("module.config.mjs", "export default [{ script: 'x.js', name: 'a' }];");
    home.write("named.config.mjs", "export const apps = [{ script: 'x.js', name: 'a' }];");
    home.write(
        "wrapped.config.cjs",
        "exports.__esModule = true; exports.default = { script: 'x.js', name: 'a' };",
    );
    home.write(
        "later.config.cjs",
        "module.exports = async () => ({ script: 'x.js', name: 'a', cwd: undefined });",
    );
    for (name, program) in
        [("node", "node18"), ("node", "node20"), ("node", "node22"), ("node", "node24"), ("bun", "bun")]
    {
        for file in [
            "common.config.js",
            "module.config.mjs",
            "named.config.mjs",
            "wrapped.config.cjs",
            "later.config.cjs",
        ] {
            let text = validate_by(&home, name, program, file, 0);
            assert!(text.contains(&format!("`{file}` is right: 1 app (a)\n")), "{program}: {text}");
        }
    }
}

#[test]
fn typescript_is_read_where_the_interpreter_can() {
    let home = home();
    home.write(
        "typed.config.ts",
        "const n: number = 2; export default { apps: [{ script: 'x.ts', name: 'a', instances: n }] };",
    );
    for (name, program) in [("bun", "bun"), ("node", "node22"), ("node", "node24")] {
        let text = validate_by(&home, name, program, "typed.config.ts", 0);
        assert!(text.contains("is right: 1 app (a)"), "{program}: {text}");
    }
    let text = validate_by(&home, "node", "node20", "typed.config.ts", 2);
    assert!(text.contains("cannot read TypeScript; Bun, and Node.js from 22.6 on, can"), "{text}");
}

#[test]
fn what_a_program_throws_is_shown_with_its_own_place() {
    let home = home();
    home.write("ports.js", "exports.of = (app) => app.port.toString();");
    home.write(
        "throws.config.js",
        "const { of } = require('./ports.js');\nmodule.exports = { apps: [{ script: 'x', args: of({}) }] };",
    );
    home.write("broken.config.js", "module.exports = {\n  apps: [,,]]\n};");
    home.write("broken.config.mjs", "export default {\n  apps: [,,]]\n};");
    home.write("exits.config.js", "process.exit(3);");
    home.write(
        "function.config.js",
        "module.exports = { script: 'x', instances() {}, env: { KEY: 'sesame' } };",
    );
    for program in ["node18", "node24"] {
        let text = validate_by(&home, "node", program, "throws.config.js", 2);
        assert!(
            text.contains(
                "`throws.config.js` cannot be evaluated\n  TypeError: Cannot read properties of undefined"
            ),
            "{text}"
        );
        assert!(text.contains("/ports.js:1:") && text.contains("/throws.config.js:2:"), "{text}");
        assert!(!text.contains("node:internal") && !text.contains("[eval]"), "{text}");
        let text = validate_by(&home, "node", program, "broken.config.js", 2);
        assert!(text.contains("broken.config.js:2") && text.contains("SyntaxError"), "{text}");
        let text = validate_by(&home, "node", program, "broken.config.mjs", 2);
        assert!(text.contains("broken.config.mjs:2") && text.contains("SyntaxError"), "{text}");
        let text = validate_by(&home, "node", program, "exits.config.js", 2);
        assert!(text.contains("ended its process (exit status: 3) before it exported anything"), "{text}");
        let text = validate_by(&home, "node", program, "function.config.js", 2);
        assert!(text.contains("`instances`: found a function, accepted: a whole number"), "{text}");
    }
    let text = validate_by(&home, "bun", "bun", "throws.config.js", 2);
    assert!(text.contains("/ports.js:1:") && text.contains("/throws.config.js:2:"), "{text}");
    let text = validate_by(&home, "bun", "bun", "broken.config.js", 2);
    assert!(text.contains("broken.config.js:2:"), "{text}");
    let text = validate_by(&home, "deno", "deno", "throws.config.js", 2);
    assert!(text.contains("neither `node` nor `bun` is in PATH"), "{text}");
}

#[test]
fn validate_tells_all_problems_or_what_there_is() {
    let home = home();
    home.write(
        "bad.yaml",
        "apps:\n  - script: x.js\n    instnces: 2\n  - name: jobs\n    kill_timeout: 5 parsecs\n",
    );
    let text = home.pmr(2, &["validate", "bad.yaml"]);
    for part in [
        "has 3 problems",
        "did you mean `instances`?",
        "app `jobs`, `script` is missing",
        "found `5 parsecs`",
    ] {
        assert!(text.contains(part), "{text}");
    }
    home.write(
        "good.toml",
        "[[apps]]\nscript = 'x.js'\nvizion = true\n[[apps]]\nname = 'jobs'\nscript = 'npm run jobs'\n",
    );
    let (result, told) = home.both(0, &["validate", "good.toml", "--env", "production"]);
    assert_eq!(result, "`good.toml` is right: 2 apps (x, jobs)\n");
    assert!(told.contains("warning: `good.toml`, app `apps[0]`, `vizion` has no effect: "), "{told}");
    assert!(told.contains("`env_production` is not there"), "{told}");
    assert!(home.pmr(2, &["validate", "good.toml", "--only", "job"]).contains("did you mean `jobs`?"));
    assert!(home.pmr(2, &["validate"]).contains("hint: `pmr init` writes one"));
    assert!(home.pmr(2, &["validate", "nowhere.json"]).contains("cannot read `nowhere.json`"));
}

#[test]
fn init_writes_what_validate_takes_and_never_overwrites() {
    let home = home();
    for form in ["js", "cjs", "mjs", "json", "yaml", "toml"] {
        let result = home.pmr(0, &["init", form]);
        let file = result.split('`').nth(1).unwrap();
        assert!(home.pmr(0, &["validate", file]).ends_with("is right: 2 apps (web, jobs)\n"), "{form}");
    }
    let text = home.pmr(1, &["init"]);
    assert!(
        text.contains("ecosystem.config.js`\n") && text.contains("hint: it is never overwritten"),
        "{text}"
    );
    assert!(
        home.pmr(0, &["validate"]).starts_with("`ecosystem.config.js` is right"),
        "it is found by its name"
    );
    assert!(home.pmr(2, &["init", "xml"]).contains("accepted: js, cjs, mjs, ts, json, yaml or toml"));
}

#[test]
fn all_apps_of_a_file_run_in_the_foreground_with_their_own_environment() {
    let home = home();
    home.write(
        "ecosystem.config.js",
        "module.exports = { apps: [
            { name: 'one', script: './teller.js', args: ['a', 'b c'], env: { WHO: '1' }, env_test: { WHO: '2' } },
            { name: 'two', script: 'teller.js', instances: 2, instance_var: 'APP_ID', env_file: '.env' },
            { name: 'three', script: 'no such file' },
        ] };",
    );
    home.write(".env", "WHO=file\n");
    let words = ["start", "--only", "one,two", "--env", "test"];
    let mut runtime = home.foreground(&words);
    runtime.stdout_line("one,2,,a,b c");
    runtime.stdout_line("two,file,0,");
    runtime.stdout_line("two,file,1,");
    runtime.stderr_line(&["`env_test` is not there"]);
    assert!(home.pmr(0, &["list"]).contains("2 apps, 3 of 3 instances online"));
    let show = home.json(&["show", "two", "--json"])[0].take();
    let settings = show["settings"].as_array().unwrap();
    let origin =
        |name: &str| settings.iter().find(|setting| setting["name"] == name).unwrap()["origin"].clone();
    assert_eq!(
        (origin("instances"), origin("kill-timeout")),
        ("ecosystem.config.js".into(), "default".into())
    );
    // What the file says stays, whatever environment comes.
    home.pmr(0, &["restart", "one", "--update-env"]);
    runtime
        .until_stdout("the second start", |text| (text.matches("one,2,,a,b c").count() == 2).then_some(()));
    runtime.stops();
}

#[test]
fn options_of_the_command_line_go_before_the_file() {
    let home = home();
    home.write(
        "app.json",
        "// one app\n{ script: 'teller.js', name: 'web', instances: 1, kill_timeout: '3s' }",
    );
    let mut runtime = home.foreground(&["app.json", "-i", "2", "--name", "other"]);
    runtime.until_ready(2);
    let show = home.json(&["show", "other", "--json"])[0].take();
    assert_eq!(show["instances"].as_array().unwrap().len(), 2);
    runtime.stops();
}

#[test]
fn a_variable_goes_up_with_the_instance() {
    let home = home();
    let port = free_port();
    let app = format!(
        "[[apps]]\nname = 'web'\nscript = 'server.js'\ninstances = 2\nincrement_var = 'PORT'\nenv = {{ PORT = {port} }}\n"
    );
    home.write("pmr.toml", &app);
    home.write(
        "server.js",
        "require('http').createServer((_, r) => r.end(process.env.PORT)).listen(process.env.PORT);",
    );
    let mut runtime = home.foreground(&["pmr.toml"]);
    for port in [port, port + 1] {
        let answer = wait::until("an answer", || get(port, "/").ok());
        assert!(answer.ends_with(&port.to_string()), "{answer}");
    }
    runtime.stops();
}

#[test]
fn a_file_with_a_problem_starts_nothing() {
    let home = home();
    home.write("bad.json", "[{ script: 'teller.js' }, { script: 'teller.js', name: 'x', max_restarts: -1 }]");
    home.write("gone.json", "[{ script: 'teller.js' }, { script: 'gone.js' }]");
    for (file, status, part) in [
        ("bad.json", 78, "app `x`, `max_restarts`: found `-1`, accepted: a whole number from 0 up"),
        (
            "gone.json",
            127,
            "cannot start the app `gone` of `gone.json`\ncaused by: cannot run `gone.js`: no such file",
        ),
    ] {
        let words = [file];
        let (result, told) = outputs(&home.command("pmr-runtime", &words).output().unwrap(), status, &words);
        assert!(told.contains(part) && result.is_empty(), "{told}");
    }
    assert!(home.pmr(2, &["start", "bad.json"]).contains("found `-1`"));
    assert_eq!(home.processes(), 0, "no runtime was begun for it");
}

#[test]
fn the_apps_of_a_file_are_added_to_the_runtime_in_the_background() {
    let home = home();
    home.write("apps.yaml", "- {name: one, script: teller.js, env: {WHO: me}}\n- {name: two, script: ./teller.js, instances: 2}\n");
    let result = home.pmr(0, &["start", "apps.yaml"]);
    assert!(
        result.contains("✓ one: started, 1 instance") && result.contains("✓ two: started, 2 instances"),
        "{result}"
    );
    assert!(home.pmr(0, &["env", "one"]).contains("WHO=me"));
    home.pmr(0, &["save"]);
    home.pmr(0, &["kill"]);
    home.pmr(0, &["resurrect"]);
    assert!(home.pmr(0, &["env", "one"]).contains("WHO=me"), "what the file said is saved with the app");
    home.pmr(0, &["kill"]);
}
