//! What the machine and this process have used so far, as Linux tells it.

use std::fs;

use serde_json::{Value, json};

/// The machine's load over 1, 5 and 15 minutes.
pub fn load() -> [f64; 3] {
    // Fixed-point numbers with 16 bits behind the point, of which two digits mean something.
    rustix::system::sysinfo().loads.map(|load| {
        let hundredths = u32::try_from(load.saturating_mul(100) >> 16).unwrap_or(u32::MAX);
        f64::from(hundredths) / 100.0
    })
}

/// The memory that this process holds, in kilobytes.
pub fn resident() -> Option<u64> {
    status("VmRSS:")
}

/// What this process has used, by the names of `getrusage`, as far as `/proc` knows it.
pub fn usage() -> Value {
    // The second field may hold spaces, and ends with the last parenthesis; what follows begins with the third.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    // Times are in hundredths of a second on every Linux.
    let seconds = |number: usize| f64::from(field(number)) / 100.0;
    json!({
        "utime": seconds(14),
        "stime": seconds(15),
        "maxrss": status("VmHWM:"),
        "minflt": field(10),
        "majflt": field(12),
        "nvcsw": status("voluntary_ctxt_switches:"),
        "nivcsw": status("nonvoluntary_ctxt_switches:"),
    })
}

fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        assert!(resident().unwrap() > 100);
        let usage = usage();
        assert!(usage["maxrss"].as_u64().unwrap() >= resident().unwrap() / 2, "{usage}");
        assert!(usage["minflt"].as_u64().unwrap() > 0, "{usage}");
        assert!(usage["nvcsw"].is_u64() && usage["utime"].is_f64(), "{usage}");
        assert!(load().iter().all(|load| (0.0..100_000.0).contains(load)));
    }
}
