//! The kernel's files under /proc about processes and the machine: any bytes, each taken for any of the files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pmr_runtime::metrics::proc::{
    boot, cpu_model, cpus, load, memory, pid, resident, smaps_rollup, stat, switches, uptime,
};

fuzz_target!(|content: &[u8]| {
    a_name_never_matters(content);
    if let Some(all) = smaps_rollup(content).or_else(|| resident(content)) {
        assert!(all.bytes % 1024 == 0 && all.rss % 1024 == 0);
    }
    if let Some(pid) = pid(content) {
        assert!(pid.as_raw() > 0);
    }
    if let Some(time) = uptime(content) {
        let mut words = content.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let first = words.next().and_then(|word| str::from_utf8(word).ok()).expect("what was read is a word");
        let (seconds, hundredths) = first.split_once('.').expect("it has a fraction");
        let again = format!("{:0>1$}.{2:02}", time.0 / 100, seconds.len(), time.0 % 100);
        assert_eq!((again.as_str(), hundredths.len()), (first, 2));
    }
    if let Some(load) = load(content) {
        assert!(load.iter().all(|load| load.is_finite() && *load >= 0.0));
    }
    if let Some(cpus) = cpus(content) {
        let lines = content.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"cpu")).count();
        assert!((1..=lines).contains(&usize::try_from(cpus).expect("there are few")));
    }
    if let Some(model) = cpu_model(content) {
        assert!(!model.is_empty() && model.trim() == model && !model.contains(['\n', '\t']));
    }
    let _ = (switches(content), memory(content), boot(content));
});

/// A process chooses its name, so that nothing in it may be taken for what follows on it.
fn a_name_never_matters(content: &[u8]) {
    let Some(end) = content.iter().rposition(|&byte| byte == b')') else {
        assert_eq!(stat(content), None);
        return;
    };
    let (named, rest) = content.split_at(end);
    let plain = stat(&[b"42 (node", rest].concat());
    assert_eq!(stat(content), plain);
    assert_eq!(stat(&[b"1 (", named, b") Z 1 1 (", rest].concat()), plain);
}
