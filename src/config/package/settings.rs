//! Settings of npm and pnpm in `.npmrc` files: those that change how a script is run, and those that a script sees.

/// The settings of one file, in its order.
pub(super) fn read(content: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(content);
    let lines =
        text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';', '[']) && !line.is_empty());
    lines
        .map(|line| line.split_once('=').unwrap_or((line, "true")))
        .map(|(key, value)| (key.trim().to_owned(), unquoted(value.trim()).to_owned()))
        .collect()
}

fn unquoted(value: &str) -> &str {
    let between = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    between('"').or_else(|| between('\'')).unwrap_or(value)
}

/// The variable in which scripts find a setting; none for scopes, hosts, secrets, and what refers to other variables.
pub(super) fn variable(key: &str, value: &str) -> Option<(String, String)> {
    let is_shown =
        !key.starts_with(['/', '@', '_']) && !key.contains([':', '[', ' ']) && !value.contains("${");
    let value = if value == "false" || value == "null" { "" } else { value };
    is_shown.then(|| (format!("npm_config_{}", key.replace('-', "_").to_lowercase()), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_setting_a_line() {
        let file = "; comment\n# another\nscript-shell = /bin/bash\nomit=\"dev\"\nlegacy-peer-deps\n\n//r.example/:_authToken=x\n";
        let expected = [
            ("script-shell", "/bin/bash"),
            ("omit", "dev"),
            ("legacy-peer-deps", "true"),
            ("//r.example/:_authToken", "x"),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(read(file.as_bytes()), expected);
    }

    #[test]
    fn scripts_see_what_is_no_secret() {
        let shown =
            |key: &str, value: &str| variable(key, value).map(|(name, value)| format!("{name}={value}"));
        assert_eq!(shown("save-exact", "true").as_deref(), Some("npm_config_save_exact=true"));
        assert_eq!(shown("fund", "false").as_deref(), Some("npm_config_fund="));
        for (key, value) in [
            ("//r/:_authToken", "x"),
            ("_auth", "x"),
            ("@x:registry", "y"),
            ("r:_password", "z"),
            ("a", "${TOKEN}"),
        ] {
            assert_eq!(shown(key, value), None, "{key}");
        }
    }
}
