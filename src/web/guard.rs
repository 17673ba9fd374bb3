//! Who may ask for what: the token, and what browsers tell of where a request comes from. Pure.
//!
//! A page of a foreign site can make a browser send requests to this machine, but it can neither add the token nor hide
//! `Origin` and `Sec-Fetch-Site` (CSRF). It can give a name of its own an address of this machine, so that the browser takes
//! both for one site; but the name then stands in `Host` (DNS rebinding).

// The addresses alone: `std::net` has sockets, too.
use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;

use serde::Serialize;

/// A token has at least so many characters.
const SHORTEST: usize = 16;

/// What must be known by who wants to change something.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token of these characters, if it is one that a header can carry and nobody guesses.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_fit = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_fit.then(|| Self(text.to_owned()))
    }

    /// Its characters, to be handed over, or told once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Takes as long wherever the first difference is.
    fn is(&self, given: &str) -> bool {
        let differences =
            self.0.bytes().zip(given.bytes()).fold(0, |found, (own, given)| found | (own ^ given));
        self.0.len() == given.len() && differences == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What this server allows.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) token: Option<Token>,
    /// Whether who comes without a token may look on: so on the loopback alone.
    pub(super) is_open: bool,
    pub(super) read_only: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// A yes or no that everybody may know.
    Probe,
    /// The page as it is without any data. A browser that opens it has no way to send a token along.
    Page,
    Look,
    /// Environments, which hold secrets.
    Secrets,
    Change,
}

/// What the headers say; text that is none, or stands there twice, is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asker<'a> {
    pub(super) host: Option<&'a str>,
    pub(super) origin: Option<&'a str>,
    /// `Sec-Fetch-Site` and `Sec-Fetch-Mode`.
    pub(super) site: Option<&'a str>,
    pub(super) mode: Option<&'a str>,
    pub(super) authorization: Option<&'a str>,
}

/// What an asker may do, in words for programs: `ok`, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Access {
    pub(super) look: &'static str,
    pub(super) change: &'static str,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("a page of another site has sent this")]
    OtherSite,
    #[error("the header `Host` names neither an address nor `localhost`, and no token is given")]
    ForeignName,
    #[error("this takes the token, as `Authorization: Bearer TOKEN`")]
    NoToken,
    #[error("this is not the token")]
    WrongToken,
    #[error("this takes a token, and there is none")]
    Tokenless,
    #[error("this web server changes nothing (`--web-read-only`)")]
    ReadOnly,
}

impl Refusal {
    /// The word for programs.
    fn word(self) -> &'static str {
        match self {
            Self::OtherSite => "other_site",
            Self::ForeignName => "foreign_name",
            Self::NoToken => "no_token",
            Self::WrongToken => "wrong_token",
            Self::Tokenless => "tokenless",
            Self::ReadOnly => "read_only",
        }
    }
}

impl Rules {
    /// What `asker` may do.
    pub(super) fn access(&self, asker: &Asker<'_>) -> Access {
        let word = |reach| self.judge(asker, reach).err().map_or("ok", Refusal::word);
        Access { look: word(Reach::Look), change: word(Reach::Change) }
    }

    /// Whether `asker` may ask for something of this `reach`.
    pub(super) fn judge(&self, asker: &Asker<'_>, reach: Reach) -> Result<(), Refusal> {
        if reach == Reach::Probe {
            return Ok(());
        }
        if asker.is_of_another_site() {
            return Err(Refusal::OtherSite);
        }
        if reach == Reach::Page {
            return Ok(());
        }
        let knows = self.knows(asker)?;
        if !knows && !asker.host.is_none_or(is_no_foreign_name) {
            return Err(Refusal::ForeignName);
        }
        match reach {
            Reach::Change if self.read_only => Err(Refusal::ReadOnly),
            _ if knows => Ok(()),
            Reach::Look if self.is_open => Ok(()),
            _ if self.token.is_none() => Err(Refusal::Tokenless),
            _ => Err(Refusal::NoToken),
        }
    }

    /// Whether the asker has the token; a wrong one is none that is absent.
    pub(super) fn knows(&self, asker: &Asker<'_>) -> Result<bool, Refusal> {
        let (Some(token), Some(given)) = (&self.token, asker.authorization) else { return Ok(false) };
        let given = given.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        match given {
            Some((_, given)) if token.is(given.trim()) => Ok(true),
            _ => Err(Refusal::WrongToken),
        }
    }
}

impl Asker<'_> {
    fn is_of_another_site(&self) -> bool {
        let of_ours = |origin: &str| {
            let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            authority.zip(self.host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
        };
        // A link from elsewhere is followed in a window of its own, which the page there cannot read.
        let is_link = self.mode == Some("navigate") && self.origin.is_none();
        let is_cross = self.site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
        self.origin.is_some_and(|origin| !of_ours(origin)) || is_cross && !is_link
    }
}

/// Whether `host`, with its port or without, is an address, or this machine by its name, which no foreign server can give away.
fn is_no_foreign_name(host: &str) -> bool {
    if let Some((address, port)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse::<Ipv6Addr>().is_ok() && is_port(port);
    }
    let (name, port) = host.find(':').map_or((host, ""), |at| host.split_at(at));
    let name = name.to_ascii_lowercase();
    let is_own = name.parse::<Ipv4Addr>().is_ok() || name == "localhost" || name.ends_with(".localhost");
    is_own && is_port(port)
}

/// Nothing, or a number behind a colon.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|number| number.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";
    const GIVEN: &str = "Bearer 0123456789abcdef";

    fn rules(token: Option<&str>, is_open: bool) -> Rules {
        Rules { token: token.map(|token| Token::new(token).unwrap()), is_open, read_only: false }
    }

    fn plain() -> Asker<'static> {
        Asker { host: Some("127.0.0.1:9615"), ..Asker::default() }
    }

    fn with_token() -> Asker<'static> {
        Asker { authorization: Some(GIVEN), ..plain() }
    }

    #[test]
    fn on_the_loopback_everybody_may_look_and_nobody_changes_without_a_token() {
        let rules = rules(None, true);
        assert_eq!(rules.judge(&plain(), Reach::Look), Ok(()));
        assert_eq!(rules.judge(&plain(), Reach::Secrets), Err(Refusal::Tokenless));
        assert_eq!(rules.judge(&plain(), Reach::Change), Err(Refusal::Tokenless));
    }

    #[test]
    fn elsewhere_all_but_the_probes_takes_the_token() {
        let rules = rules(Some(TOKEN), false);
        assert_eq!(rules.judge(&plain(), Reach::Probe), Ok(()));
        for reach in [Reach::Look, Reach::Secrets, Reach::Change] {
            assert_eq!(rules.judge(&plain(), reach), Err(Refusal::NoToken));
            assert_eq!(rules.judge(&with_token(), reach), Ok(()));
        }
    }

    #[test]
    fn a_wrong_token_is_refused_even_where_none_is_needed() {
        let rules = rules(Some(TOKEN), true);
        for given in
            ["Bearer 0123456789abcdeg", "Bearer 0123456789abcde", "Basic 0123456789abcdef", TOKEN, ""]
        {
            let asker = Asker { authorization: Some(given), ..plain() };
            assert_eq!(rules.judge(&asker, Reach::Look), Err(Refusal::WrongToken), "{given}");
        }
        let asker = Asker { authorization: Some("bearer  0123456789abcdef"), ..plain() };
        assert_eq!(rules.judge(&asker, Reach::Change), Ok(()));
    }

    #[test]
    fn read_only_holds_for_those_with_the_token_too() {
        let rules = Rules { read_only: true, ..rules(Some(TOKEN), false) };
        assert_eq!(rules.judge(&with_token(), Reach::Change), Err(Refusal::ReadOnly));
        assert_eq!(rules.judge(&with_token(), Reach::Secrets), Ok(()));
    }

    #[test]
    fn the_page_without_data_is_for_everybody_but_other_sites() {
        let rules = rules(Some(TOKEN), false);
        assert_eq!(rules.judge(&plain(), Reach::Page), Ok(()));
        let named = Asker { host: Some("box.example"), site: Some("none"), ..Asker::default() };
        assert_eq!(rules.judge(&named, Reach::Page), Ok(()));
        let foreign = Asker { site: Some("cross-site"), mode: Some("no-cors"), ..plain() };
        assert_eq!(rules.judge(&foreign, Reach::Page), Err(Refusal::OtherSite));
    }

    #[test]
    fn everybody_is_told_what_he_may_do_and_why_not() {
        let told = |rules: &Rules, asker: &Asker<'_>| {
            let Access { look, change } = rules.access(asker);
            [look, change]
        };
        let wrong = Asker { authorization: Some("Bearer 0000000000000000"), ..plain() };
        let named = Asker { host: Some("box.example"), ..Asker::default() };
        let open = rules(Some(TOKEN), true);
        assert_eq!(told(&rules(None, true), &plain()), ["ok", "tokenless"]);
        assert_eq!(told(&open, &plain()), ["ok", "no_token"]);
        assert_eq!(told(&open, &with_token()), ["ok", "ok"]);
        assert_eq!(told(&open, &wrong), ["wrong_token", "wrong_token"]);
        assert_eq!(told(&open, &named), ["foreign_name", "foreign_name"]);
        assert_eq!(told(&rules(Some(TOKEN), false), &plain()), ["no_token", "no_token"]);
        assert_eq!(told(&Rules { read_only: true, ..open }, &with_token()), ["ok", "read_only"]);
    }

    #[test]
    fn a_name_that_somebody_else_gives_away_is_no_host_of_ours() {
        let rules = rules(None, true);
        let judge = |host| rules.judge(&Asker { host, ..Asker::default() }, Reach::Look);
        for host in ["127.0.0.1", "10.1.2.3:9615", "[::1]:9615", "[::1]", "LocalHost:80", "a.localhost"] {
            assert_eq!(judge(Some(host)), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "evil.example:9615", "localhost.evil.example", "[::1", "127.0.0.1:", "", "1::2"]
        {
            assert_eq!(judge(Some(host)), Err(Refusal::ForeignName), "{host}");
        }
        assert_eq!(judge(None), Ok(()), "no browser leaves it out");
    }

    #[test]
    fn behind_a_name_the_token_opens() {
        let asker = Asker { host: Some("metrics.example"), ..with_token() };
        assert_eq!(rules(Some(TOKEN), true).judge(&asker, Reach::Look), Ok(()));
    }

    #[test]
    fn pages_of_other_sites_are_refused_with_the_token_too() {
        let rules = rules(Some(TOKEN), true);
        for origin in ["http://evil.example", "null", "", "http://127.0.0.1:9616", "file://127.0.0.1:9615"] {
            let asker = Asker { origin: Some(origin), ..with_token() };
            assert_eq!(rules.judge(&asker, Reach::Look), Err(Refusal::OtherSite), "{origin}");
        }
        for site in ["cross-site", "same-site", ""] {
            let asker = Asker { site: Some(site), mode: Some("no-cors"), ..with_token() };
            assert_eq!(rules.judge(&asker, Reach::Look), Err(Refusal::OtherSite), "{site}");
        }
    }

    #[test]
    fn our_own_page_and_a_link_to_it_are_served() {
        let rules = rules(Some(TOKEN), true);
        let own = Asker { origin: Some("http://127.0.0.1:9615"), site: Some("same-origin"), ..with_token() };
        assert_eq!(rules.judge(&own, Reach::Change), Ok(()));
        let link = Asker { site: Some("cross-site"), mode: Some("navigate"), ..plain() };
        assert_eq!(rules.judge(&link, Reach::Look), Ok(()));
        let typed = Asker { site: Some("none"), ..plain() };
        assert_eq!(rules.judge(&typed, Reach::Look), Ok(()));
    }

    #[test]
    fn a_token_is_long_enough_and_visible() {
        for text in ["", "short", "0123456789abcde", "0123456789 abcdef", "0123456789abcdéf"] {
            assert_eq!(Token::new(text), None, "{text}");
        }
        assert_eq!(format!("{:?}", Token::new(TOKEN)), "Some(Token)");
    }
}
