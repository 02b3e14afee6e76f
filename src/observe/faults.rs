//! What a run reports of the faults that were done on purpose.

use serde::Serialize;

use super::figure;
use super::report::Counts as Outcomes;
use crate::stream::faults::{Count, Counts};

/// The reasons that sinks give for a record which is too large.
const TOO_LARGE: [&str; 2] = ["message_too_large", "msg_size_too_large"];

/// What faults did to what was issued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// To how many events what was done, by fault and stream.
    pub done: Vec<Count>,
    /// Of those that were kept back at the end: what would have come after it.
    pub pending: Vec<Count>,
}

impl Faults {
    /// What was counted so far.
    pub fn new(counts: &Counts) -> Self {
        Self { done: counts.done(), pending: counts.pending() }
    }

    /// Whether all that was refused of a stream was refused because a fault made it too large.
    pub fn meant(&self, stream: &str, counts: &Outcomes) -> bool {
        let all = counts.failures.keys().all(|reason| TOO_LARGE.contains(&reason.as_str()));
        counts.failed > 0 && all && counts.failed <= self.of(stream, "oversized")
    }

    fn of(&self, stream: &str, kind: &str) -> u64 {
        let done = self.done.iter().filter(|it| it.stream == stream && it.kind == kind);
        done.map(|it| it.events).sum()
    }

    /// A name and a text for each line of the report.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let line = |it: &Count| {
            let told = match it.kind {
                "drop" => "not sent (drop)".to_owned(),
                kind => kind.to_owned(),
            };
            let told = format!("{} of `{}`: {told}", figure::count(it.events), it.stream);
            (format!("  {}", it.fault), told)
        };
        let all = match self.done.iter().map(|it| it.events).sum() {
            0 => "none was done".to_owned(),
            sum => format!("{} events, on purpose", figure::count(sum)),
        };
        let mut lines = vec![("faults".to_owned(), all)];
        lines.extend(self.done.iter().map(line));
        let pending: u64 = self.pending.iter().map(|it| it.events).sum();
        if pending > 0 {
            let told = format!("{} would come after the end", figure::count(pending));
            lines.push(("  kept back".to_owned(), told));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_tells_what_each_fault_did() {
        let count = |fault: &str, kind, events| Count {
            fault: fault.into(),
            kind,
            stream: "payments".into(),
            events,
        };
        let done = vec![count("lossy", "drop", 12), count("twice", "duplicate", 1)];
        let lines = Faults { done, pending: vec![count("twice", "duplicate", 3)] }.lines();
        let lines: Vec<String> =
            lines.into_iter().map(|(name, told)| format!("{name} {told}")).collect();
        assert_eq!(
            lines,
            [
                "faults 13 events, on purpose",
                "  lossy 12 of `payments`: not sent (drop)",
                "  twice 1 of `payments`: duplicate",
                "  kept back 3 would come after the end",
            ]
        );
    }
}
