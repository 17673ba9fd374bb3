//! What the runtime's own messages look like, loosely. The only place that knows their wording.

/// A whole line (one that has ended) that contains all of `parts`.
pub(crate) fn line_with(text: &str, parts: &[&str]) -> Option<String> {
    let (whole, _) = text.rsplit_once('\n')?;
    whole.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
}

/// Whether a line is one of the runtime's own.
pub(crate) fn is_ours(line: &str) -> bool {
    line.starts_with("pmr: ") || line.contains(" pmr: ")
}

/// `pmr: worker ready app=web instance=0 pid=42`
pub(crate) fn is_ready(line: &str) -> bool {
    is_ours(line) && line.contains("worker ready") && line.contains("pid=")
}

/// The value of `name=value` in a line.
pub(crate) fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// The runtime's own lines of a text.
pub(crate) fn ours(text: &str) -> Vec<&str> {
    text.lines().filter(|line| is_ours(line)).collect()
}

/// Lines that tell of a worker's end: `worker exited with code 3, restarting in 100ms app=web ... lived=12ms`,
/// `worker ended by SIGSEGV`, `worker killed by the kernel: out of memory`.
pub(crate) fn deaths(text: &str) -> Vec<&str> {
    let how = ["worker exited with", "worker ended by", "worker killed by"];
    ours(text).into_iter().filter(|line| how.iter().any(|how| line.contains(how))).collect()
}

/// Whether a line says that somebody else holds `port`.
pub(crate) fn is_port_taken(line: &str, port: u16) -> bool {
    let lower = line.to_lowercase();
    line.contains(&port.to_string()) && ["in use", "used by", "taken"].iter().any(|word| lower.contains(word))
}

/// Whether a line says that a worker was asked to end before it had answered all.
pub(crate) fn is_cut_short(line: &str) -> bool {
    is_ours(line) && line.contains("has not finished its answers")
}

/// Whether a text says that the runtime is stopping.
pub(crate) fn is_stopping(text: &str) -> bool {
    ours(text).iter().any(|line| line.contains("stopping"))
}

/// Whether a line says that a worker will be started again.
pub(crate) fn is_restart(line: &str) -> bool {
    line.contains("restarting in ")
}

/// The delays of the restarts that a text tells of, in seconds.
pub(crate) fn restart_delays(text: &str) -> Vec<f64> {
    let told = deaths(text).into_iter().filter_map(|line| line.split_once("restarting in "));
    told.filter_map(|(_, rest)| seconds(rest.split([' ', ',']).next()?)).collect()
}

/// Reads `250ms`, `1.5s`, `2m`.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..split].parse().ok()?;
    match &text[split..] {
        "us" | "µs" => Some(number / 1e6),
        "ms" => Some(number / 1e3),
        "s" => Some(number),
        "m" => Some(number * 60.0),
        _ => None,
    }
}

/// Whether a line says that an instance is given up.
pub(crate) fn is_giving_up(line: &str) -> bool {
    line.contains("giving it up")
}

/// Whether a line says that a worker could not be started.
pub(crate) fn is_spawn_failure(line: &str) -> bool {
    line.contains("cannot start a worker")
}

/// Whether a line says that a reload has come to its good end.
pub(crate) fn is_reload_done(line: &str) -> bool {
    line.contains("reloaded")
}

/// Whether a line says that a reload was given up in favour of the old workers.
pub(crate) fn is_reload_called_off(line: &str) -> bool {
    line.contains("reload") && line.contains("called off")
}

/// Whether a line says that the last worker is not taken away.
pub(crate) fn is_scale_refused(line: &str) -> bool {
    line.contains("not scaled")
}
