//! What a client wants to be answered with, by its header `Accept` (RFC 9110, 12.5.1). Pure.

/// Which of `offers` is wanted most; the first of several, and where none is wanted.
pub(super) fn choose(accept: Option<&str>, offers: &[&str]) -> usize {
    let Some(accept) = accept else { return 0 };
    let wishes: Vec<Wish<'_>> = accept.split(',').map(Wish::read).collect();
    let mut best = (0, 0.0);
    for (at, offer) in offers.iter().enumerate() {
        let quality = quality(&wishes, offer);
        if quality > best.1 {
            best = (at, quality);
        }
    }
    best.0
}

/// A kind of content, and how much it is wanted, from 0 to 1.
struct Wish<'a> {
    kind: &'a str,
    quality: f32,
}

impl<'a> Wish<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        Self { kind, quality: quality.and_then(|quality| quality.parse().ok()).unwrap_or(1.0) }
    }

    /// How exactly it names `offer`, if it does.
    fn names(&self, offer: &str) -> Option<u8> {
        let family = |kind: &str| kind.split('/').next().map(str::to_ascii_lowercase);
        match self.kind {
            "*/*" | "*" => Some(0),
            kind if kind.eq_ignore_ascii_case(offer) => Some(2),
            kind if kind.ends_with("/*") && family(kind) == family(offer) => Some(1),
            _ => None,
        }
    }
}

/// That of the wish that names it most exactly.
fn quality(wishes: &[Wish<'_>], offer: &str) -> f32 {
    let named = wishes.iter().filter_map(|wish| Some((wish.names(offer)?, wish.quality)));
    let best = named.max_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
    best.map_or(0.0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: [&str; 2] = ["text/plain", "application/openmetrics-text"];

    #[test]
    fn prometheus_gets_what_it_wants_most() {
        let of_prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(choose(Some(of_prometheus), &OFFERS), 1);
        assert_eq!(choose(Some("text/plain;version=0.0.4;q=1,*/*;q=0.1"), &OFFERS), 0);
    }

    #[test]
    fn who_says_nothing_or_takes_anything_gets_the_first() {
        for accept in [None, Some("*/*"), Some(""), Some("image/png"), Some("text/*, application/*")] {
            assert_eq!(choose(accept, &OFFERS), 0, "{accept:?}");
        }
    }

    #[test]
    fn a_browser_wants_a_page_and_curl_does_not() {
        let offers = ["application/json", "text/html"];
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(choose(Some(browser), &offers), 1);
        assert_eq!(choose(Some("*/*"), &offers), 0);
        assert_eq!(choose(Some("text/html;q=0, */*"), &offers), 0);
    }
}
