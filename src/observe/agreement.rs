//! Whether a run that is done again sent what the first one did.

use std::fmt;

use serde::Serialize;

use super::figure;
use super::report::{Report, Stopped};

/// What is known of the first run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Earlier {
    /// Its manifest.
    pub manifest: String,
    /// How many events it issued; none if it has no result.
    pub issued: Option<u64>,
    /// Their digest, if it was asked for.
    pub digest: Option<String>,
}

/// What a run says of the one that it repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// The first run.
    #[serde(flatten)]
    pub first: Earlier,
    /// Whether both sent the same events; none if that cannot be said.
    pub agrees: Option<bool>,
    /// Why.
    pub because: Finding,
    /// How many events this run issued.
    #[serde(skip)]
    now: u64,
}

/// What the comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The digests are the same.
    DigestsAgree,
    /// They are not.
    DigestsDiffer,
    /// The numbers of events are not even the same.
    CountsDiffer,
    /// The first run had no digest.
    NoDigest,
    /// The first run has no result.
    NoResult,
    /// This run was stopped before its end.
    StoppedEarly,
}

impl Agreement {
    /// Compares a run with the first one.
    pub fn new(first: Earlier, report: &Report) -> Self {
        let now = report.counts.issued;
        let because = match (first.issued, &first.digest, &report.about.digest) {
            _ if report.about.stopped != Stopped::End => Finding::StoppedEarly,
            (None, _, _) => Finding::NoResult,
            (Some(issued), _, _) if issued != now => Finding::CountsDiffer,
            (Some(_), Some(first), Some(again)) if first == again => Finding::DigestsAgree,
            (Some(_), Some(_), Some(_)) => Finding::DigestsDiffer,
            (Some(_), _, _) => Finding::NoDigest,
        };
        let agrees = match because {
            Finding::DigestsAgree => Some(true),
            Finding::DigestsDiffer | Finding::CountsDiffer => Some(false),
            Finding::NoDigest | Finding::NoResult | Finding::StoppedEarly => None,
        };
        Self { first, agrees, because, now }
    }

    /// Whether other events were sent than the first time.
    pub fn differs(&self) -> bool {
        self.agrees == Some(false)
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Earlier { manifest, issued, digest } = &self.first;
        let issued = figure::count(issued.unwrap_or(0));
        write!(formatter, "{manifest}: ")?;
        match self.because {
            Finding::DigestsAgree => formatter.write_str("the same events: the digests agree"),
            Finding::DigestsDiffer => {
                let digest = digest.as_deref().unwrap_or_default();
                write!(formatter, "negative: other events: its digest was {digest}")
            }
            Finding::CountsDiffer => {
                let now = figure::count(self.now);
                write!(formatter, "negative: it issued {issued} events, this run {now}")
            }
            Finding::NoDigest => write!(
                formatter,
                "as many events ({issued}); whether they are the same cannot be said, because it \
                 was run without `--digest`"
            ),
            Finding::NoResult => formatter
                .write_str("nothing to compare with: it was killed, or goes on, and has no result"),
            Finding::StoppedEarly => {
                formatter.write_str("not compared: this run was stopped before its end")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    fn compare(issued: Option<u64>, digest: Option<&str>, again: Option<&str>) -> Agreement {
        let mut report = report();
        report.about.stopped = Stopped::End;
        report.about.digest = again.map(str::to_owned);
        let digest = digest.map(str::to_owned);
        Agreement::new(Earlier { manifest: "runs/a.json".into(), issued, digest }, &report)
    }

    #[test]
    fn only_digests_say_that_events_are_the_same() {
        let same = compare(Some(14_512), Some("ab"), Some("ab"));
        assert_eq!((same.agrees, same.differs()), (Some(true), false));
        assert_eq!(same.to_string(), "runs/a.json: the same events: the digests agree");
        let other = compare(Some(14_512), Some("ab"), Some("cd"));
        assert!(other.differs() && other.to_string().contains("its digest was ab"), "{other}");
        let none = compare(Some(14_512), None, Some("cd"));
        assert_eq!((none.agrees, none.because), (None, Finding::NoDigest));
        assert!(none.to_string().contains("as many events (14,512)"), "{none}");
    }

    #[test]
    fn other_counts_are_other_events_even_without_a_digest() {
        let fewer = compare(Some(14_513), None, Some("cd"));
        assert!(fewer.differs());
        assert!(fewer.to_string().contains("it issued 14,513 events, this run 14,512"), "{fewer}");
    }

    #[test]
    fn what_did_not_come_to_its_end_is_not_compared() {
        assert_eq!(compare(None, None, Some("cd")).because, Finding::NoResult);
        let first = Earlier { manifest: "a".into(), issued: Some(20_000), digest: None };
        let agreement = Agreement::new(first, &report());
        assert_eq!((agreement.agrees, agreement.because), (None, Finding::StoppedEarly));
    }

    #[test]
    fn the_json_says_of_which_run_and_whether_it_agrees() {
        let json = serde_json::to_value(compare(Some(14_512), Some("ab"), Some("ab"))).unwrap();
        let expected = serde_json::json!({ "manifest": "runs/a.json", "issued": 14_512,
            "digest": "ab", "agrees": true, "because": "digests_agree" });
        assert_eq!(json, expected);
    }
}
