//! Chooses how workers come by their sockets. Pure.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::spec::Share;

/// How workers come by their sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Node's cluster protocol. Interception beneath it, where it is to be had, covers what does not go through the
    /// protocol: child processes, `exclusive` listeners, the wrong port, and plain TCP servers, which start sooner so.
    Cluster(Interception),
    Intercept,
    Activation,
    /// The program's own SO_REUSEPORT.
    Reuseport,
    None,
}

/// Whether `bind` and `listen` are intercepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interception {
    On,
    Off,
}

impl Way {
    /// Whether workers get a seccomp filter.
    #[must_use]
    pub fn intercepts(self) -> bool {
        matches!(self, Self::Intercept | Self::Cluster(Interception::On))
    }

    /// Whether we hear of it when a worker listens.
    #[must_use]
    pub fn hears_listening(self) -> bool {
        matches!(self, Self::Intercept | Self::Cluster(_))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster(_) => "cluster",
            Self::Intercept => "intercept",
            Self::Activation => "activation",
            Self::Reuseport => "reuseport",
            Self::None => "none",
        })
    }
}

/// What the choice depends on.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    pub asked: Share,
    /// Whether the command is `node` with a script.
    pub node_script: bool,
    pub instances: NonZeroU32,
    /// How many workers are kept beyond the instances.
    pub standby: u32,
    pub port: Option<u16>,
    /// Why there can be no seccomp listener here, if so.
    pub no_interception: Option<&'a str>,
}

/// What was chosen, and what people should know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub way: Way,
    /// Fewer than asked for where nothing is left to share a port with.
    pub instances: NonZeroU32,
    pub remarks: Vec<Remark>,
}

/// A line for people: a way is not to be had, and what is done instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// `--share cluster` for something else than `node SCRIPT`.
    NotNode {
        next: Way,
    },
    /// `--share activation` without PORT, so that there is no address to listen on.
    NoPort {
        next: Way,
    },
    NoInterception {
        why: String,
        next: Way,
    },
    /// Nothing is left to share the port with.
    OneInstance {
        wanted: NonZeroU32,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNode { next } => {
                write!(f, "`--share cluster` needs `node SCRIPT` as the command; using `{next}` instead")
            }
            Self::NoPort { next } => {
                write!(f, "`--share activation` needs PORT to be set; using `{next}` instead")
            }
            Self::NoInterception { why, next } => {
                write!(f, "this machine does not allow `intercept` ({why}); using `{next}` instead")
            }
            Self::OneInstance { wanted } => write!(
                f,
                "nothing is left to share the port with, so 1 instance is started instead of {wanted} (if the app sets \
                 SO_REUSEPORT itself use `--share reuseport`, if it takes sockets by LISTEN_FDS `--share activation`)"
            ),
        }
    }
}

/// Chooses.
#[must_use]
pub fn choose(situation: &Situation<'_>) -> Choice {
    let mut remarks = Vec::new();
    let way = match situation.asked {
        Share::Auto => automatic(situation, &mut remarks),
        Share::Cluster if situation.node_script => Way::Cluster(Interception::Off),
        Share::Cluster => {
            let next = automatic(situation, &mut remarks);
            remarks.insert(0, Remark::NotNode { next });
            next
        }
        Share::Intercept => intercept(situation, &mut remarks),
        Share::Activation if situation.port.is_some() => Way::Activation,
        Share::Activation => {
            let next = automatic(situation, &mut remarks);
            remarks.insert(0, Remark::NoPort { next });
            next
        }
        Share::Reuseport => Way::Reuseport,
        Share::None => Way::None,
    };
    let asked_for = matches!(situation.asked, Share::None | Share::Reuseport | Share::Activation);
    let mut instances = situation.instances;
    if way == Way::None && !asked_for && instances > NonZeroU32::MIN && situation.port.is_some() {
        remarks.push(Remark::OneInstance { wanted: instances });
        instances = NonZeroU32::MIN;
    }
    Choice { way, instances, remarks }
}

impl Situation<'_> {
    fn has_several_workers(&self) -> bool {
        self.instances > NonZeroU32::MIN || self.standby > 0
    }
}

/// A single node process is better off as a primary of its own: it may run a cluster itself.
fn automatic(situation: &Situation<'_>, remarks: &mut Vec<Remark>) -> Way {
    if situation.node_script && situation.has_several_workers() {
        let beneath = if situation.no_interception.is_none() { Interception::On } else { Interception::Off };
        return Way::Cluster(beneath);
    }
    intercept(situation, remarks)
}

fn intercept(situation: &Situation<'_>, remarks: &mut Vec<Remark>) -> Way {
    let Some(why) = situation.no_interception else { return Way::Intercept };
    let serves = situation.port.is_some() || situation.has_several_workers();
    let next = match situation.node_script && serves {
        true => Way::Cluster(Interception::Off),
        false => Way::None,
    };
    let matters = situation.asked == Share::Intercept || situation.port.is_some();
    if matters {
        remarks.push(Remark::NoInterception { why: why.to_owned(), next });
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation(asked: Share) -> Situation<'static> {
        Situation {
            asked,
            node_script: true,
            instances: NonZeroU32::new(4).unwrap(),
            standby: 0,
            port: Some(5000),
            no_interception: None,
        }
    }

    #[test]
    fn node_with_a_port_is_a_cluster_and_anything_else_is_intercepted() {
        assert_eq!(choose(&situation(Share::Auto)).way, Way::Cluster(Interception::On));
        let python = Situation { node_script: false, ..situation(Share::Auto) };
        assert_eq!(choose(&python).way, Way::Intercept);
    }

    #[test]
    fn a_single_node_process_is_no_cluster_worker() {
        for port in [None, Some(5000)] {
            let single = Situation { instances: NonZeroU32::MIN, port, ..situation(Share::Auto) };
            assert_eq!(choose(&single).way, Way::Intercept);
        }
    }

    #[test]
    fn one_with_a_standby_is_because_it_must_not_stand_still_while_it_is_held() {
        let pair = Situation { instances: NonZeroU32::MIN, standby: 1, ..situation(Share::Auto) };
        assert_eq!(choose(&pair).way, Way::Cluster(Interception::On));
    }

    #[test]
    fn node_does_without_interception_in_silence() {
        let choice = choose(&Situation { no_interception: Some("EBUSY"), ..situation(Share::Auto) });
        assert_eq!(choice.way, Way::Cluster(Interception::Off));
        assert_eq!(choice.remarks, []);
    }

    #[test]
    fn without_any_way_left_one_instance_runs_and_it_is_said() {
        let python =
            Situation { node_script: false, no_interception: Some("EBUSY"), ..situation(Share::Auto) };
        let choice = choose(&python);
        assert_eq!((choice.way, choice.instances), (Way::None, NonZeroU32::MIN));
        let said: Vec<String> = choice.remarks.iter().map(ToString::to_string).collect();
        assert!(said[0].contains("EBUSY") && said[1].contains("instead of 4"), "{said:?}");
    }

    #[test]
    fn a_forced_way_that_cannot_be_had_is_replaced_with_a_word() {
        let forced = Situation { node_script: false, ..situation(Share::Cluster) };
        let choice = choose(&forced);
        assert_eq!(choice.way, Way::Intercept);
        assert_eq!(choice.remarks, [Remark::NotNode { next: Way::Intercept }]);
        let choice = choose(&Situation { port: None, ..situation(Share::Activation) });
        assert_eq!(choice.remarks, [Remark::NoPort { next: choice.way }]);
    }

    #[test]
    fn what_is_forced_and_can_be_had_is_taken_with_all_instances() {
        for (asked, way) in [
            (Share::Cluster, Way::Cluster(Interception::Off)),
            (Share::Intercept, Way::Intercept),
            (Share::Activation, Way::Activation),
            (Share::Reuseport, Way::Reuseport),
            (Share::None, Way::None),
        ] {
            let choice = choose(&situation(asked));
            assert_eq!((choice.way, choice.instances.get(), choice.remarks.len()), (way, 4, 0));
        }
    }
}
