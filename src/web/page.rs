//! What browsers are shown: the dashboard, whose files are a part of the executable. Pure.
//!
//! They hold no data of the runtime, so everybody may have them; what they show, they ask the API for. There is no build step: the
//! files are served as they stand in `assets/`.

/// A file of the dashboard.
#[derive(Debug)]
pub(super) struct Asset {
    path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) content: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

macro_rules! asset {
    ($name:literal, $content_type:expr) => {
        Asset {
            path: concat!("/assets/", $name),
            content_type: $content_type,
            content: include_str!(concat!("assets/", $name)),
        }
    };
}

/// The page itself, at `/`. It names the others.
pub(super) const PAGE: Asset =
    Asset { path: "/", content_type: HTML, content: include_str!("assets/index.html") };

const OTHERS: [Asset; 16] = [
    asset!("style.css", STYLE),
    asset!("icon.svg", IMAGE),
    asset!("main.js", SCRIPT),
    asset!("actions.js", SCRIPT),
    asset!("api.js", SCRIPT),
    asset!("charts.js", SCRIPT),
    asset!("crashes.js", SCRIPT),
    asset!("details.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("figures.js", SCRIPT),
    asset!("format.js", SCRIPT),
    asset!("history.js", SCRIPT),
    asset!("lines.js", SCRIPT),
    asset!("store.js", SCRIPT),
    asset!("table.js", SCRIPT),
    asset!("views.js", SCRIPT),
];

/// Whether a file of the dashboard may be at `path`.
pub(super) fn is_asset(path: &str) -> bool {
    path.starts_with("/assets/")
}

/// The file at `path`, beside the page.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    OTHERS.iter().find(|asset| asset.path == path)
}

impl Asset {
    /// Differs when the content does (RFC 9110, 8.8.3).
    pub(super) fn tag(&self) -> String {
        // FNV-1a: told apart are versions of a file, not what somebody has made up.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        format!("\"{:016x}\"", self.content.bytes().fold(0xcbf2_9ce4_8422_2325, fold))
    }

    /// Whether a client that says `If-None-Match` has this version.
    pub(super) fn is_among(&self, known: &str) -> bool {
        let tag = self.tag();
        known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is named in quotes in a file, that begins with `start`.
    fn named<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(['"', '\'']).filter(move |word| word.starts_with(start) && !word.contains(' '))
    }

    #[test]
    fn every_file_that_is_named_is_there() {
        for path in named(PAGE.content, "/assets/") {
            assert!(find(path).is_some(), "{path}");
        }
        for asset in OTHERS.iter().filter(|asset| asset.content_type == SCRIPT) {
            for name in named(asset.content, "./") {
                assert!(find(&name.replacen('.', "/assets", 1)).is_some(), "{name} in {}", asset.path);
            }
        }
    }

    #[test]
    fn nothing_is_asked_for_elsewhere_and_no_markup_is_made_of_text() {
        for asset in OTHERS.iter().chain([&PAGE]) {
            let content = asset.content.replace("http://www.w3.org/2000/svg", "");
            for word in ["http:", "https:", "//cdn", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval("]
            {
                assert!(!content.contains(word), "{word} in {}", asset.path);
            }
        }
    }

    #[test]
    fn the_page_has_no_script_or_style_of_its_own() {
        assert!(!PAGE.content.contains("<style") && !PAGE.content.contains(" style="));
        assert!(!PAGE.content.contains(" on") && !PAGE.content.contains("<script>"));
    }

    #[test]
    fn all_files_together_are_small() {
        let size: usize = OTHERS.iter().chain([&PAGE]).map(|asset| asset.content.len()).sum();
        assert!(size < 96 * 1024, "{size} bytes");
    }

    #[test]
    fn a_version_that_is_known_is_told_by_its_tag() {
        let tag = PAGE.tag();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 18);
        for known in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
            assert!(PAGE.is_among(&known), "{known}");
        }
        assert!(!PAGE.is_among("\"other\"") && !PAGE.is_among(""));
        let tags: std::collections::BTreeSet<String> = OTHERS.iter().map(Asset::tag).collect();
        assert_eq!(tags.len(), OTHERS.len());
    }
}
