//! What `pmr init` writes.

/// The forms of a new file, by the word that asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    Js,
    Cjs,
    Mjs,
    Ts,
    Json,
    Yaml,
    Toml,
}

/// All of them, by their words.
pub const EXAMPLES: [(&str, Example); 7] = [
    ("js", Example::Js),
    ("cjs", Example::Cjs),
    ("mjs", Example::Mjs),
    ("ts", Example::Ts),
    ("json", Example::Json),
    ("yaml", Example::Yaml),
    ("toml", Example::Toml),
];

/// Which modules a `.js` file is written in, as the package.json beside it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modules {
    CommonJs,
    Esm,
}

const SCRIPT: &str = "\
{
  apps: [
    {
      name: 'web',
      script: './server.js',
      instances: 'auto', // as many as CPUs and memory allow
      kill_timeout: '25s',
      env: { NODE_ENV: 'development' },
      env_production: { NODE_ENV: 'production' }, // with --env production
    },
    {
      name: 'jobs',
      script: 'npm run jobs',
    },
  ],
}";

const JSON: &str = r#"{
  // Comments are fine here.
  "apps": [
    {
      "name": "web",
      "script": "./server.js",
      "instances": "auto",
      "kill_timeout": "25s",
      "env": { "NODE_ENV": "development" },
      "env_production": { "NODE_ENV": "production" }
    },
    {
      "name": "jobs",
      "script": "npm run jobs"
    }
  ]
}
"#;

const YAML: &str = "\
apps:
  - name: web
    script: ./server.js
    instances: auto # as many as CPUs and memory allow
    kill_timeout: 25s
    env:
      NODE_ENV: development
    env_production: # with --env production
      NODE_ENV: production
  - name: jobs
    script: npm run jobs
";

const TOML: &str = r#"[[apps]]
name = "web"
script = "./server.js"
instances = "auto" # as many as CPUs and memory allow
kill_timeout = "25s"
env = { NODE_ENV = "development" }
env_production = { NODE_ENV = "production" } # with --env production

[[apps]]
name = "jobs"
script = "npm run jobs"
"#;

impl Example {
    /// The name of the file.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Js => "ecosystem.config.js",
            Self::Cjs => "ecosystem.config.cjs",
            Self::Mjs => "ecosystem.config.mjs",
            Self::Ts => "ecosystem.config.ts",
            Self::Json => "ecosystem.json",
            Self::Yaml => "ecosystem.yaml",
            Self::Toml => "pmr.toml",
        }
    }

    /// The text of the file.
    #[must_use]
    pub fn text(self, modules: Modules) -> String {
        match (self, modules) {
            (Self::Js, Modules::Esm) | (Self::Mjs | Self::Ts, _) => format!("export default {SCRIPT};\n"),
            (Self::Js, Modules::CommonJs) | (Self::Cjs, _) => format!("module.exports = {SCRIPT};\n"),
            (Self::Json, _) => JSON.to_owned(),
            (Self::Yaml, _) => YAML.to_owned(),
            (Self::Toml, _) => TOML.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::read::read;
    use super::super::text::{Form, parse};
    use super::*;

    #[test]
    fn every_example_is_a_file_that_we_read_without_a_remark() {
        for (_, example) in EXAMPLES {
            let text = example.text(Modules::CommonJs);
            let form = match Form::of(Path::new(example.file())).unwrap() {
                // An object of JavaScript without its `module.exports =` is JSON5.
                Form::Script(_) => Form::Json5,
                form => form,
            };
            let object = text.trim_start_matches("module.exports = ").trim_start_matches("export default ");
            let document = parse(form, object.trim_end().trim_end_matches(';')).unwrap();
            let read = read(example.file(), &document).unwrap();
            assert_eq!((read.apps.len(), read.remarks), (2, vec![]), "{example:?}");
        }
    }
}
