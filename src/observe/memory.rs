//! What the process takes of the machine's memory.

use std::fs;

/// Resident memory in bytes: now, and at its greatest. `None` where the system does not say.
pub fn resident_bytes() -> Option<Resident> {
    parse(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Resident memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Now, in bytes.
    pub now: u64,
    /// The greatest so far, in bytes.
    pub peak: u64,
}

fn parse(status: &str) -> Option<Resident> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1_024)
    };
    Some(Resident { now: field("VmRSS:")?, peak: field("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_systems_own_words() {
        let status = "Name:\ttidegate\nVmHWM:\t   34816 kB\nVmRSS:\t   20480 kB\n";
        assert_eq!(parse(status), Some(Resident { now: 20_480 << 10, peak: 34_816 << 10 }));
        assert_eq!(parse("Name:\ttidegate\n"), None);
    }
}
