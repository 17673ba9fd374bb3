//! The manual pages, docs/man/pmr-runtime.1 and docs/man/pmr.1, written from the grammar, with what the help leaves out.
//!
//! To write them anew: `PMR_WRITE_DOCS=1 cargo test --lib man`. A page for each verb would be forty files of a few lines; `pmr`
//! has them all, so that one search finds what there is.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args;
use super::verbs;

/// What no grammar knows: a heading, and paragraphs. What is before a tab is the head of one that is indented.
type Section<'a> = (&'static str, &'a [&'a str]);

const RUNTIME: &str = "\
Starts COMMAND several times, as workers that share one port, and stays in the foreground above them, as process 1 of a \
container or not. A worker that ends is started anew. From COMMAND on, every word is the app's. A FILE is run by the \
interpreter of its extension, and our options may follow it. `start` takes apps from a configuration file or a Procfile.";

const PMR: &str = "\
Each VERB asks a runtime that runs, over its control socket. `start` begins one in the background where there is none.";

#[rustfmt::skip]
const OF_RUNTIME: &[Section<'_>] = &[
    ("ENVIRONMENT", &[
        "The variable of each option is named with it. Besides:",
        "PORT\tWhere the app listens. It makes the runtime start a worker for each CPU, as far as memory goes.",
        "WEB_CONCURRENCY\tHow many workers, where neither --instances nor PMR_INSTANCES says so.",
        "WEB_MEMORY\tMegabytes that one worker needs, by which their number is chosen; 512 where unset.",
        "PMR_HOME\tThe directory of the control socket.",
        "PMR_WEB_TOKEN\tWho has it may change things by --web.",
    ]),
    ("SIGNALS", &[
        "TERM, INT, QUIT\tEnd the workers, which answer first what they were asked, and the runtime. A second INT or QUIT ends them at once.",
        "HUP\tReplaces the workers one by one, without a gap.",
        "TTIN, TTOU\tOne worker more, and one less.",
        "Others\tAre sent on to the workers.",
    ]),
    ("EXIT STATUS", &[
        "0\tStopped on request, and every worker ended in time; or the app ended with 0.",
        "1\tThe app has failed, although its last worker exited with 0.",
        "2\tThe command line is wrong.",
        "71\tThe system refused what the runtime itself needs.",
        "78\tA variable or a configuration file is wrong.",
        "124\tThe command of --pre-start took too long.",
        "126, 127\tThe program cannot be executed; it is missing.",
        "137\tStopped on request, but a worker had to be killed.",
        "n, 128+n\tThe status of the app's last worker; a signal n ended it.",
    ]),
    ("SEE ALSO", &[
        "pmr(1)",
        "https://github.com/pmr-runtime/pmr-runtime/tree/main/docs",
    ]),
];

#[rustfmt::skip]
const OF_PMR: &[Section<'_>] = &[
    ("ENVIRONMENT", &[
        "PMR_HOME\tThe home of the runtime, as --home. Without both, /run/pmr, $XDG_RUNTIME_DIR/pmr and /tmp/pmr-UID are looked at.",
        "NO_COLOR\tNo colours.",
    ]),
    ("SEE ALSO", &[
        "pmr-runtime(1), which has the options of apps",
        "https://github.com/pmr-runtime/pmr-runtime/blob/main/docs/cli.md",
    ]),
];

/// One of clap_mangen's sections, without its heading.
fn body(render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    render(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (_, body) = text.split_once("\n.SH ").unwrap_or_default();
    body.split_once('\n').unwrap_or_default().1.to_owned()
}

/// A heading of the page (`SH`), or one below it (`SS`).
fn heading(kind: &str, text: &str) -> String {
    lines(Roff::new().control(kind, [text]))
}

/// Without the lines about apostrophes, which the title has once for all.
fn lines(roff: &Roff) -> String {
    let text = roff.render();
    let mark = ".el .ds Aq '\n";
    text.split_once(mark).map_or(text.clone(), |(_, rest)| rest.to_owned())
}

/// What stands below the help: sentences, and lines of examples, which are indented.
fn notes(of: &Command) -> String {
    let text = of.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut roff = Roff::new();
    for paragraph in text.split("\n\n") {
        roff.control("PP", []);
        let mut is_example = false;
        for line in paragraph.lines() {
            if line.starts_with("  ") != is_example {
                is_example = !is_example;
                roff.control(if is_example { "nf" } else { "fi" }, []);
            }
            roff.text([roman(line)]);
        }
        if is_example {
            roff.control("fi", []);
        }
    }
    if text.is_empty() { String::new() } else { lines(&roff) }
}

fn section((title, paragraphs): &Section<'_>) -> String {
    let mut roff = Roff::new();
    roff.control("SH", [*title]);
    for paragraph in *paragraphs {
        match paragraph.split_once('\t') {
            Some((head, rest)) => roff.control("TP", []).text([bold(head)]).text([roman(rest)]),
            None => roff.control("PP", []).text([roman(*paragraph)]),
        };
    }
    lines(&roff)
}

/// With what makes an apostrophe one on every system.
fn title(of: &Command) -> String {
    let (name, version) = (of.get_name().to_uppercase(), env!("CARGO_PKG_VERSION"));
    // By hand: of an empty argument, which the date is, nothing would be left.
    format!("{}.TH {name} 1 \"\" \"pmr-runtime {version}\" pmr-runtime\n", Roff::new().render())
}

/// The forms of a command line, one a line.
fn synopsis(of: &Command) -> String {
    let usage = of.clone().render_usage().to_string();
    let mut roff = Roff::new();
    for (index, form) in usage.trim_start_matches("Usage:").lines().enumerate() {
        if index > 0 {
            roff.control("br", []);
        }
        roff.text([roman(form.trim())]);
    }
    lines(&roff)
}

/// Name, synopsis, description, and the options.
fn head(of: &Command, description: &str) -> String {
    let man = Man::new(of.clone());
    [
        title(of),
        heading("SH", "NAME"),
        body(|to| man.render_name_section(to)),
        heading("SH", "SYNOPSIS"),
        synopsis(of),
        section(&("DESCRIPTION", &[description])),
        heading("SH", "OPTIONS"),
        body(|to| man.render_options_section(to)),
    ]
    .concat()
}

/// A verb by all its names: what it does, how it is called, its own options.
fn verb(of: &Command) -> String {
    // Those of all verbs stand above.
    let own = of.clone().mut_args(|arg| {
        let is_of_all = arg.is_global_set() || arg.get_id() == "help";
        if is_of_all { arg.hide(true) } else { arg }
    });
    let names: Vec<&str> = std::iter::once(of.get_name()).chain(of.get_visible_aliases()).collect();
    let man = Man::new(own);
    [
        heading("SS", &names.join(", ")),
        body(|to| man.render_description_section(to)),
        heading("PP", ""),
        synopsis(of),
        body(|to| man.render_options_section(to)),
        notes(of),
    ]
    .concat()
}

/// In ASCII, as roff itself wants it.
fn paged(parts: &[String]) -> String {
    let escape = |letter: char| match letter {
        letter if letter.is_ascii() => letter.to_string(),
        letter => format!("\\[u{:04X}]", u32::from(letter)),
    };
    parts.concat().chars().map(escape).collect()
}

fn page_of_runtime() -> String {
    let mut grammar = args::whole_grammar();
    grammar.build();
    let sections: String = OF_RUNTIME.iter().map(section).collect();
    paged(&[head(&grammar, RUNTIME), heading("SH", "NOTES"), notes(&grammar), sections])
}

fn page_of_pmr() -> String {
    let mut grammar = verbs::grammar();
    grammar.build();
    let verbs = grammar.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help");
    let verbs: String = verbs.map(verb).collect();
    let sections: String = OF_PMR.iter().map(section).collect();
    let notes = [heading("SH", "NOTES"), notes(&grammar)].concat();
    paged(&[head(&grammar, PMR), notes, heading("SH", "VERBS"), verbs, sections])
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man").join(name)
}

#[test]
fn the_manual_pages_tell_what_the_grammar_knows() {
    for (name, wanted) in [("pmr-runtime.1", page_of_runtime()), ("pmr.1", page_of_pmr())] {
        if std::env::var_os("PMR_WRITE_DOCS").is_some() {
            std::fs::create_dir_all(path("")).unwrap();
            std::fs::write(path(name), wanted).unwrap();
        } else {
            let found = std::fs::read_to_string(path(name)).unwrap_or_default();
            assert!(found == wanted, "docs/man/{name} is not what the code says; see the head of cli/man.rs");
        }
    }
}
