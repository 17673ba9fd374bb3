//! Which environment variables look like secrets, and which are the runtime's own. Pure.
//!
//! The former is a guess, for the eyes of whoever looks over a shoulder; the environment is open to everybody who may open the socket.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::api::text::Text;
use crate::api::types::{Environment, StartRequest};

/// Names with one of these words in them, between the underscores, are secret.
const WORDS: [&str; 15] = [
    "KEY",
    "APIKEY",
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASS",
    "PASSPHRASE",
    "PWD",
    "CREDENTIAL",
    "CREDENTIALS",
    "AUTH",
    "PRIVATE",
    "DSN",
    "COOKIE",
];
/// Names that end in one of these are secret, too: `PGPASSWORD`, `ACCESSTOKEN`.
const ENDINGS: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIALS", "SECRETS"];
/// Names that are secret as a whole.
const NAMES: [&str; 3] = ["DATABASE_URL", "REDIS_URL", "MONGODB_URI"];
/// Names of directories, not of passwords.
const HARMLESS: [&str; 2] = ["PWD", "OLDPWD"];

/// The variables as text, what looks like a secret without its value unless `reveal` is said.
#[must_use]
pub fn shown(variables: Vec<(OsString, OsString)>, reveal: bool) -> BTreeMap<String, Option<String>> {
    let show = |(name, value): (OsString, OsString)| {
        let (name, value) = (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned());
        let hidden = !reveal && is_secret(&name, &value);
        (name, (!hidden).then_some(value))
    };
    variables.into_iter().map(show).collect()
}

/// Takes out what opens the runtime's own doors. It is told to the runtime where that is begun, and has no place on a disk.
pub fn take_out_ours(apps: &mut [StartRequest]) {
    for app in apps {
        app.environment.retain(|(name, _)| !is_ours(name));
        if let Some(declared) = &mut app.declared {
            declared.variables.retain(|(name, _)| !is_ours(name));
        }
    }
}

/// Puts in again what was taken out, as far as `environment` has it.
pub fn put_in_ours(apps: &mut [StartRequest], environment: &Environment) {
    for app in apps {
        app.environment.extend(environment.iter().filter(|(name, _)| is_ours(name)).cloned());
    }
}

/// The web server's token. What the apps themselves are told, secret or not, they need again.
fn is_ours(name: &Text) -> bool {
    OsString::from(name.clone()) == "PMR_WEB_TOKEN"
}

/// `OTEL_EXPORTER_OTLP_HEADERS` and its like, by which a service knows who sends.
fn is_of_telemetry(name: &str) -> bool {
    name.starts_with("OTEL_") && name.ends_with("_HEADERS")
}

fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    if HARMLESS.contains(&name.as_str()) || value.is_empty() {
        return false;
    }
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| WORDS.contains(&word) || ENDINGS.iter().any(|ending| word.ends_with(ending)))
        || NAMES.contains(&name.as_str())
        || is_of_telemetry(&name)
        || has_password(value)
        || value.contains("-----BEGIN ")
}

/// Whether some address in the text carries a password: `scheme://user:password@host`.
fn has_password(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ', ',']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_hidden() {
        for (name, value) in [
            ("API_KEY", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("GITHUB_TOKEN", "x"),
            ("npm_config__authToken", "x"),
            ("PGPASSWORD", "x"),
            ("DB_PASS", "x"),
            ("SMTP_PWD", "x"),
            ("GOOGLE_CREDENTIALS", "x"),
            ("BASIC_AUTH", "x"),
            ("PRIVATE_PEM", "x"),
            ("SENTRY_DSN", "x"),
            ("DATABASE_URL", "postgres://db/app"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x"),
            ("BROKER", "amqp://user:pass@host:5672/vhost"),
            ("PROXIES", "http://a,http://u:p@b"),
            ("CERTIFICATE", "-----BEGIN RSA PRIVATE KEY-----"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn what_does_not_is_shown() {
        for (name, value) in [
            ("PATH", "/usr/bin"),
            ("PWD", "/srv"),
            ("OLDPWD", "/srv"),
            ("PORT", "3000"),
            ("AUTHOR", "me"),
            ("MONKEYS_WANTED", "3"),
            ("PASSENGER", "1"),
            ("URL", "https://me@example.org:8080/a:b@c"),
            ("API_KEY", ""),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn what_is_the_runtimes_own_is_taken_out_and_put_in_again() {
        let text = |text: &str| Text::Utf8(text.to_owned());
        let variable = |name: &str| (text(name), text("x"));
        let all: Environment = ["PORT", "PMR_WEB_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"].map(variable).to_vec();
        let app: StartRequest =
            serde_json::from_str(r#"{"words":[],"directory":"/","environment":[]}"#).unwrap();
        let mut apps = [StartRequest { environment: all.clone(), ..app }];
        take_out_ours(&mut apps);
        assert_eq!(apps[0].environment, ["PORT", "OTEL_EXPORTER_OTLP_HEADERS"].map(variable));
        put_in_ours(&mut apps, &all);
        assert_eq!(apps[0].environment.len(), 3);
    }

    #[test]
    fn a_hidden_value_can_be_asked_for() {
        let variables = || vec![("TOKEN".into(), "t".into()), ("A".into(), "b".into())];
        let hidden = shown(variables(), false);
        assert_eq!((hidden["TOKEN"].as_deref(), hidden["A"].as_deref()), (None, Some("b")));
        assert_eq!(shown(variables(), true)["TOKEN"].as_deref(), Some("t"));
    }
}
