//! How many instances, and why: the flag, else WEB_CONCURRENCY, else what the CPUs and the memory allow.

use std::fmt;
use std::num::NonZeroU32;

use super::cgroup::CpuQuota;
use super::problem::{Origin, Warning};
use super::values::{MOST_INSTANCES, Most, Wish};
use crate::spec::InstanceRange;

/// What one worker is taken to need where WEB_MEMORY is not set, in megabytes. Heroku's Node buildpack assumes the same.
pub const DEFAULT_WEB_MEMORY: u64 = 512;

/// What the sizing is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// From `--instances` or PMR_INSTANCES.
    pub wish: Option<(Wish, Origin)>,
    pub web_concurrency: Option<Wish>,
    /// Who set WEB_CONCURRENCY, if not the user.
    pub web_concurrency_set_by: Option<String>,
    /// Whether PORT is set, which makes the app a server.
    pub has_port: bool,
    /// Workers that are kept booted beyond the instances, each of which needs its memory.
    pub standby: u32,
    pub cpus: Cpus,
    pub memory: Memory,
}

/// The CPUs that we may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpus {
    /// CPUs that we may be scheduled on.
    pub affinity: NonZeroU32,
    pub quota: Option<CpuQuota>,
}

impl Cpus {
    /// How many workers can run at the same time.
    #[must_use]
    pub fn count(self) -> NonZeroU32 {
        self.quota.map_or(self.affinity, |quota| quota.cpus().min(self.affinity))
    }

    /// How many CPUs' time may be used.
    #[must_use]
    pub fn time(self) -> f64 {
        let all = f64::from(self.affinity.get());
        self.quota.map_or(all, |quota| quota.share().min(all))
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count();
        write!(f, "{count} CPU{}", plural(count))?;
        match self.quota {
            // Also where both are equal: the affinity that we are told may have the quota in it already.
            Some(quota) if quota.cpus() <= self.affinity => write!(f, " (cgroup quota {quota})"),
            Some(_) | None => Ok(()),
        }
    }
}

/// The memory for all workers, and for one, in megabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    pub available: Option<u64>,
    pub per_worker: u64,
}

impl Memory {
    fn workers(self) -> Option<u64> {
        Some(self.available?.checked_div(self.per_worker).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.available.zip(self.workers()) {
            None => f.write_str("no memory limit"),
            Some((available, workers)) => {
                write!(f, "memory {available} MB / {} MB allows {workers}", self.per_worker)?;
                if workers == 0 { f.write_str(", but 1 is the least") } else { Ok(()) }
            }
        }
    }
}

/// How many instances there are to be, and why. Displays as the start line has it: `4 instances: WEB_CONCURRENCY=4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizing {
    /// At first, where there is a range.
    pub instances: NonZeroU32,
    /// Between how many the load may move them; `None` where there is nothing to choose.
    pub range: Option<InstanceRange>,
    pub reason: Reason,
    /// Whether the number was left to us: CPUs and memory have decided, the latter by an estimate. With a range the user
    /// has said how few there may be.
    pub is_estimated: bool,
    pub warning: Option<Warning>,
}

/// What decided the number of instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A number was asked for.
    Asked(Asker),
    /// As many as there are CPUs.
    Max { asker: Asker, cpus: Cpus },
    /// As many as CPUs and memory allow; by default where nobody asked.
    Auto { asker: Option<Asker>, cpus: Cpus, memory: Memory, standby: u32 },
    /// There is no PORT, so that the app is not taken for a server.
    NoPort,
}

/// Where a number of instances was asked for, with the word that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    Option {
        origin: Origin,
        word: String,
    },
    WebConcurrency {
        word: String,
        set_by: Option<String>,
    },
    /// A configuration file, or what chooses among its apps.
    Declared {
        by: String,
        word: String,
    },
}

/// Decides the number of instances.
#[must_use]
pub fn size(request: &Request) -> Sizing {
    let (wish, asker) = match (request.wish, request.web_concurrency) {
        (Some((wish, origin)), _) => (wish, Some(Asker::Option { origin, word: wish.to_string() })),
        (None, Some(wish)) => {
            let set_by = request.web_concurrency_set_by.clone();
            (wish, Some(Asker::WebConcurrency { word: wish.to_string(), set_by }))
        }
        (None, None) if request.has_port => (Wish::Auto, None),
        (None, None) => {
            let (instances, reason) = (NonZeroU32::MIN, Reason::NoPort);
            return Sizing { instances, range: None, reason, is_estimated: false, warning: None };
        }
    };
    if let (Wish::Range { least, most }, Some(asker)) = (wish, &asker) {
        return size_range(least, most, asker, request);
    }
    let (instances, reason) = grant(wish, asker, request);
    let warning = too_many(instances, &reason, request.cpus);
    let is_estimated = matches!(reason, Reason::Auto { .. });
    Sizing { instances, range: None, reason, is_estimated, warning }
}

/// Where the upper end is a word, it is what that word stands for; a lower end that is more goes before it.
fn size_range(least: NonZeroU32, most: Most, asker: &Asker, request: &Request) -> Sizing {
    let most = match most {
        Most::Number(number) => Wish::Number(number),
        Most::Max => Wish::Max,
        Most::Auto => Wish::Auto,
    };
    let (most, reason) = grant(most, Some(asker.clone()), request);
    let range = (most > least).then_some(InstanceRange { least, most });
    Sizing { instances: least, range, reason, is_estimated: false, warning: None }
}

fn grant(wish: Wish, asker: Option<Asker>, request: &Request) -> (NonZeroU32, Reason) {
    let (cpus, memory, standby) = (request.cpus, request.memory, request.standby);
    let most = cpus.count().get().min(MOST_INSTANCES);
    match (wish, asker) {
        (Wish::Number(number), Some(asker)) => (number, Reason::Asked(asker)),
        (Wish::Max, Some(asker)) => (at_least_one(most), Reason::Max { asker, cpus }),
        (Wish::Fewer(number), Some(asker)) => {
            (at_least_one(most.saturating_sub(number.get())), Reason::Max { asker, cpus })
        }
        (_, asker) => {
            let allowed =
                memory.workers().map_or(u32::MAX, |workers| u32::try_from(workers).unwrap_or(u32::MAX));
            let allowed = allowed.saturating_sub(standby);
            (at_least_one(most.min(allowed)), Reason::Auto { asker, cpus, memory, standby })
        }
    }
}

fn too_many(instances: NonZeroU32, reason: &Reason, cpus: Cpus) -> Option<Warning> {
    let cpus = cpus.count().get();
    let many = instances.get() > cpus.saturating_mul(2);
    let by_platform = matches!(reason, Reason::Asked(Asker::WebConcurrency { .. }));
    (many && by_platform).then(|| Warning::ManyInstances { instances: instances.get(), cpus })
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

fn plural(number: NonZeroU32) -> &'static str {
    if number.get() == 1 { "" } else { "s" }
}

impl Sizing {
    /// The same, where the option was not typed but comes from `by`, a file for instance.
    #[must_use]
    pub fn said_by(&self, by: &str) -> Self {
        let declared = |asker: &Asker| match asker {
            Asker::Option { word, .. } => Asker::Declared { by: by.to_owned(), word: word.clone() },
            other => other.clone(),
        };
        let reason = match self.reason.clone() {
            Reason::Asked(asker) => Reason::Asked(declared(&asker)),
            Reason::Max { asker, cpus } => Reason::Max { asker: declared(&asker), cpus },
            Reason::Auto { asker, cpus, memory, standby } => {
                Reason::Auto { asker: asker.as_ref().map(declared), cpus, memory, standby }
            }
            Reason::NoPort => Reason::NoPort,
        };
        Self { reason, ..self.clone() }
    }

    /// Why there are so many: `WEB_CONCURRENCY=2`, `auto, 4 CPUs, …`.
    #[must_use]
    pub fn why(&self) -> String {
        self.reason.to_string()
    }
}

impl fmt::Display for Sizing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.range {
            Some(InstanceRange { least, most }) => {
                write!(f, "{least} instance{}, up to {most} as the load asks: {}", plural(least), self.reason)
            }
            None => write!(f, "{} instance{}: {}", self.instances, plural(self.instances), self.reason),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked(asker) => asker.fmt(f),
            Self::Max { asker, cpus } => write!(f, "{asker}, {cpus}"),
            Self::Auto { asker, cpus, memory, standby } => {
                match asker {
                    Some(asker) => write!(f, "{asker}, {cpus}, {memory}")?,
                    None => write!(f, "auto, {cpus}, {memory}")?,
                }
                match (memory.available, standby) {
                    (None, _) | (_, 0) => Ok(()),
                    (Some(_), standby) => write!(f, ", {standby} of them on standby"),
                }
            }
            Self::NoPort => f.write_str("no PORT"),
        }
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option { origin: origin @ Origin::Variable(_), word } => write!(f, "{origin}={word}"),
            Self::Option { origin, word } => write!(f, "{origin} {word}"),
            // A number stands before it already.
            Self::Declared { by, word } if word.starts_with(|c: char| c.is_ascii_digit()) => f.write_str(by),
            Self::Declared { by, word } => write!(f, "{word} by {by}"),
            Self::WebConcurrency { word, set_by: None } => write!(f, "WEB_CONCURRENCY={word}"),
            Self::WebConcurrency { word, set_by: Some(who) } => {
                write!(f, "WEB_CONCURRENCY={word} (set by {who})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonzero(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    /// A server on a machine of four CPUs without limits.
    fn server() -> Request {
        Request {
            wish: None,
            web_concurrency: None,
            web_concurrency_set_by: None,
            has_port: true,
            standby: 0,
            cpus: Cpus { affinity: nonzero(4), quota: None },
            memory: Memory { available: None, per_worker: DEFAULT_WEB_MEMORY },
        }
    }

    fn line(request: &Request) -> String {
        let sizing = size(request);
        let warning =
            sizing.warning.as_ref().map_or(String::new(), |warning| format!("\nwarning: {warning}"));
        format!("{sizing}{warning}")
    }

    #[test]
    fn an_app_without_a_port_is_one_worker() {
        insta::assert_snapshot!(line(&Request { has_port: false, ..server() }), @"1 instance: no PORT");
    }

    #[test]
    fn a_server_gets_all_cpus_where_the_memory_allows() {
        insta::assert_snapshot!(line(&server()), @"4 instances: auto, 4 CPUs, no memory limit");
        let quota = Cpus { affinity: nonzero(4), quota: CpuQuota::new(150_000, 100_000) };
        let memory = Memory { available: Some(2048), per_worker: 512 };
        insta::assert_snapshot!(line(&Request { cpus: quota, memory, ..server() }), @"2 instances: auto, 2 CPUs (cgroup quota 1.5), memory 2048 MB / 512 MB allows 4");
        let wide = Cpus { affinity: nonzero(4), quota: CpuQuota::new(800_000, 100_000) };
        let memory = Memory { available: Some(1100), per_worker: 512 };
        insta::assert_snapshot!(line(&Request { cpus: wide, memory, ..server() }), @"2 instances: auto, 4 CPUs, memory 1100 MB / 512 MB allows 2");
        let memory = Memory { available: Some(256), per_worker: 512 };
        insta::assert_snapshot!(line(&Request { memory, ..server() }), @"1 instance: auto, 4 CPUs, memory 256 MB / 512 MB allows 0, but 1 is the least");
    }

    #[test]
    fn a_standby_needs_its_memory_too() {
        let memory = Memory { available: Some(2048), per_worker: 512 };
        let one = Request { standby: 1, memory, ..server() };
        insta::assert_snapshot!(line(&one), @"3 instances: auto, 4 CPUs, memory 2048 MB / 512 MB allows 4, 1 of them on standby");
        assert_eq!(size(&Request { standby: 9, ..one }).instances, NonZeroU32::MIN);
    }

    #[test]
    fn web_concurrency_is_obeyed_even_where_it_is_much() {
        let four = Some(Wish::Number(nonzero(4)));
        insta::assert_snapshot!(line(&Request { web_concurrency: four, has_port: false, ..server() }), @"4 instances: WEB_CONCURRENCY=4");
        let set_by = Some("heroku/nodejs".to_owned());
        insta::assert_snapshot!(
            line(&Request { web_concurrency: four, web_concurrency_set_by: set_by, ..server() }), @"4 instances: WEB_CONCURRENCY=4 (set by heroku/nodejs)");
        let many = Some(Wish::Number(nonzero(9)));
        insta::assert_snapshot!(line(&Request { web_concurrency: many, ..server() }), @r"
        9 instances: WEB_CONCURRENCY=9
        warning: WEB_CONCURRENCY asks for 9 instances, more than twice the CPUs (4); `--instances auto` fits the number to the machine
        ");
        assert_eq!(
            size(&Request { web_concurrency: Some(Wish::Number(nonzero(8))), ..server() }).warning,
            None
        );
    }

    #[test]
    fn the_option_goes_before_web_concurrency() {
        let asked = |wish, origin| Request {
            wish: Some((wish, origin)),
            web_concurrency: Some(Wish::Number(nonzero(2))),
            ..server()
        };
        let (flag, variable) = (Origin::Flag("--instances"), Origin::Variable("PMR_INSTANCES"));
        insta::assert_snapshot!(line(&asked(Wish::Number(nonzero(100)), flag)), @"100 instances: --instances 100");
        insta::assert_snapshot!(line(&asked(Wish::Max, variable)), @"4 instances: PMR_INSTANCES=max, 4 CPUs");
        insta::assert_snapshot!(line(&asked(Wish::Auto, flag)), @"4 instances: --instances auto, 4 CPUs, no memory limit");
    }

    #[test]
    fn a_range_starts_with_its_least_and_ends_where_it_says() {
        let asked = |most| {
            let wish = Wish::Range { least: nonzero(2), most };
            Request { wish: Some((wish, Origin::Flag("--instances"))), ..server() }
        };
        insta::assert_snapshot!(line(&asked(Most::Number(nonzero(8)))), @"2 instances, up to 8 as the load asks: --instances 2..8");
        insta::assert_snapshot!(line(&asked(Most::Max)), @"2 instances, up to 4 as the load asks: --instances 2..max, 4 CPUs");
        let memory = Memory { available: Some(1600), per_worker: 512 };
        let small = |most| Request { memory, ..asked(most) };
        insta::assert_snapshot!(line(&small(Most::Auto)), @"2 instances, up to 3 as the load asks: --instances 2..auto, 4 CPUs, memory 1600 MB / 512 MB allows 3");
        let one = Cpus { affinity: nonzero(1), quota: None };
        insta::assert_snapshot!(line(&Request { cpus: one, ..asked(Most::Max) }), @"2 instances: --instances 2..max, 1 CPU");
        insta::assert_snapshot!(line(&asked(Most::Number(nonzero(2)))), @"2 instances: --instances 2..2");
    }

    #[test]
    fn only_a_number_that_was_left_to_us_is_an_estimate() {
        let estimated = |wish| {
            let wish = Some((wish, Origin::Flag("--instances")));
            size(&Request { wish, ..server() }).is_estimated
        };
        let range = |least| Wish::Range { least: nonzero(least), most: Most::Auto };
        assert!(size(&server()).is_estimated && estimated(Wish::Auto));
        // Also where the range has only one number in it, since there are no more CPUs.
        assert!(!estimated(range(2)) && !estimated(range(4)));
        assert!(!estimated(Wish::Max) && !estimated(Wish::Number(nonzero(4))));
    }

    #[test]
    fn what_a_file_says_is_told_by_its_name() {
        let said = |wish| {
            let wish = Some((wish, Origin::Flag("--instances")));
            size(&Request { wish, ..server() }).said_by("app.yaml").to_string()
        };
        assert_eq!(said(Wish::Number(nonzero(2))), "2 instances: app.yaml");
        assert_eq!(said(Wish::Max), "4 instances: max by app.yaml, 4 CPUs");
        assert_eq!(said(Wish::Auto), "4 instances: auto by app.yaml, 4 CPUs, no memory limit");
        assert_eq!(size(&server()).said_by("app.yaml"), size(&server()));
    }

    #[test]
    fn an_enormous_machine_gets_no_more_than_1024() {
        let cpus = Cpus { affinity: nonzero(4096), quota: None };
        assert_eq!(size(&Request { cpus, ..server() }).instances.get(), 1024);
    }
}
