//! Apps of every shape that matters to the supervisor.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use arbitrary::Arbitrary;
use pmr_runtime::process::{ExitReason, Signal};
use pmr_runtime::spec::{
    AfterExit, AppSpec, Asking, BalancePolicy, CheckPace, CommandSpec, Company, EventLoop, HealthCheck,
    HealthPolicy, InstanceId, InstanceRange, LogPolicy, MemoryGuard, OnHup, Probe, Reach, ReadinessPolicy,
    ReadySign, ReloadStrategy, RestartDelay, RestartPolicy, Share, StopPolicy, WatchPolicy,
};
use pmr_runtime::supervisor::{Command, Scope};

/// Numbers to make an app of.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Shape {
    instances: u8,
    start_limit: u8,
    delay: u8,
    times: u8,
    max_unstable: u8,
    standby: u8,
    flags: u8,
    health: u8,
}

impl Shape {
    fn watch(self) -> Option<WatchPolicy> {
        let delay = Duration::from_millis([0, 200][usize::from(self.standby >> 6 & 1)]);
        let policy = WatchPolicy { paths: Vec::new(), ignore: Vec::new(), delay, polling: None };
        (self.standby & 1 << 7 != 0).then_some(policy)
    }

    /// The app.
    #[must_use]
    pub fn spec(self) -> AppSpec {
        let flag = |bit: u8| self.flags & 1 << bit != 0;
        let seconds =
            |shift: u8, choices: [u64; 4]| Duration::from_secs(choices[usize::from(self.times >> shift & 3)]);
        AppSpec {
            name: "web".to_owned(),
            command: CommandSpec {
                program: "server".into(),
                arguments: Vec::new(),
                directory: None,
                identity: None,
                environment: BTreeMap::new(),
            },
            instances: self.instances(),
            range: self.range(),
            start: pmr_runtime::spec::StartPolicy::default(),
            start_limit: NonZeroU32::MIN.saturating_add(u32::from(self.start_limit % 3)),
            restart: RestartPolicy {
                after_exit: if flag(0) { AfterExit::Stay } else { AfterExit::Restart },
                delay: self.delay(),
                min_uptime: seconds(0, [1, 0, 20, 1]),
                max_unstable: [16, 0, 1, 3][usize::from(self.max_unstable % 4)],
                cron: (self.max_unstable & 1 << 6 != 0).then(|| "* * * * *".to_owned()),
                stop_codes: if self.max_unstable & 1 << 7 == 0 { Vec::new() } else { vec![0, 42] },
            },
            stop: StopPolicy {
                delay: seconds(4, [0, 0, 5, 20]),
                signal: flag(1).then_some(Signal::INT),
                timeout: seconds(2, [25, 0, 5, 25]),
                drain: seconds(6, [10, 0, 3, 10]),
                reach: if flag(7) { Reach::First } else { Reach::All },
                asking: Asking::Signal,
            },
            readiness: ReadinessPolicy {
                sign: if flag(2) { ReadySign::Said } else { ReadySign::Listening },
                timeout: seconds(4, [30, 0, 3, 30]),
                port: (!flag(3)).then_some(5000),
            },
            health: self.health(),
            standby: u32::from(self.standby % 3),
            logs: LogPolicy::default(),
            watch: self.watch(),
            reload_strategy: strategy(flag(6)),
            on_crash: None,
            on_hup: if flag(4) { OnHup::Forward } else { OnHup::Reload },
            share: Share::Auto,
            balance: BalancePolicy::default(),
            company: if flag(5) { Company::Others } else { Company::None },
        }
    }

    fn instances(self) -> NonZeroU32 {
        NonZeroU32::MIN.saturating_add(u32::from(self.instances % 4))
    }

    fn range(self) -> Option<InstanceRange> {
        let (least, more) = (self.instances(), u32::from(self.instances >> 6));
        (more > 0).then(|| InstanceRange { least, most: least.saturating_add(more) })
    }

    fn health(self) -> HealthPolicy {
        let seconds = |bit: u8, seconds| (self.health & 1 << bit != 0).then(|| Duration::from_secs(seconds));
        let pace = CheckPace {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            retries: 1 + u32::from(self.health >> 6),
            start_period: Duration::ZERO,
        };
        let probe = Probe::Command("check".to_owned());
        HealthPolicy {
            watchdog: seconds(0, 2),
            check: (self.health & 1 << 1 != 0).then_some(HealthCheck { probe, pace }),
            kill_stalled: seconds(2, 5),
            max_memory: (self.health & 1 << 4 != 0).then_some(100),
            memory_guard: MemoryGuard::On,
            event_loop: if self.health & 1 << 3 == 0 { EventLoop::Unknown } else { EventLoop::Answers },
        }
    }

    fn delay(self) -> RestartDelay {
        match self.delay % 3 {
            0 => {
                RestartDelay::Exponential { first: Duration::from_millis(100), cap: Duration::from_secs(15) }
            }
            1 => RestartDelay::Fixed(Duration::ZERO),
            _ => RestartDelay::Fixed(Duration::from_millis(500)),
        }
    }
}

fn strategy(fleet: bool) -> ReloadStrategy {
    if fleet { ReloadStrategy::Fleet } else { ReloadStrategy::Rolling }
}

/// How a process ends: by a signal where the lowest bit of `how` is set, else with a code.
#[must_use]
pub fn reason(how: u8, number: u8) -> ExitReason {
    if how & 1 == 1 { ExitReason::Signal(signal(number)) } else { ExitReason::Code(number) }
}

/// Any signal.
#[must_use]
pub fn signal(number: u8) -> Signal {
    Signal::from_raw(i32::from(number % Signal::MAX) + 1).expect("1 to 64 are the kernel's signals")
}

/// What people may order. The numbers are made to fit.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Order {
    Start(u8),
    Stop(u8),
    Restart(u8),
    Reload { scope: u8, fleet: bool, width: u8 },
    Check,
    Scale { to: u8 },
    Reset(u8),
    Remove,
}

impl Order {
    /// The order; with `spec`, the app is to be another one from now on.
    #[must_use]
    pub fn command(self, spec: Option<AppSpec>) -> Command {
        let spec = spec.map(Box::new);
        let scope = |number: u8| match number % 8 {
            0..3 => Scope::All,
            number => Scope::One(InstanceId(u32::from(number) - 3)),
        };
        let number = |number: u8| NonZeroU32::MIN.saturating_add(u32::from(number % 5));
        match self {
            Self::Start(of) => Command::Start(scope(of)),
            Self::Stop(of) => Command::Stop(scope(of)),
            Self::Restart(of) => Command::Restart { scope: scope(of), spec },
            Self::Reload { scope: of, fleet, width } => {
                Command::Reload { scope: scope(of), strategy: strategy(fleet), width: number(width), spec }
            }
            Self::Check => Command::Check { spec },
            Self::Scale { to } => Command::Scale { to: number(to) },
            Self::Reset(of) => Command::Reset(scope(of)),
            Self::Remove => Command::Remove,
        }
    }
}
