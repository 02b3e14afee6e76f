//! Runs of which all arrived.

use std::collections::BTreeMap;

use super::{Site, count};

#[test]
fn a_run_that_arrived_whole_is_clean() {
    let Some(site) = Site::shared() else { return };
    let result = site.run("verified.clean", "--count 30000 --speed max");
    let report = site.verified("", 0);
    assert_eq!(report["clean"], true);
    for name in ["expected", "delivered", "compared", "records"] {
        assert_eq!(count(&report, name), count(&result, "issued"), "{name}: {report}");
    }
    for name in ["missing", "doubled", "out_of_order", "order_unchecked", "damaged", "foreign"] {
        assert_eq!(count(&report, name), 0, "{name}: {report}");
    }
    assert_eq!(report["sent_is_known"], true);
    assert!(report["latency_ms"].is_null(), "a run at full speed intends no time: {report}");
    assert_eq!(site.found(), BTreeMap::new());
    let report = site.verified("--sample 0", 0);
    assert_eq!(count(&report, "delivered"), count(&result, "issued"));
    assert_eq!(count(&report, "compared"), 0);
    let report = site.verified("--sample 1/4", 0);
    let compared = count(&report, "compared");
    assert!(compared > 0 && compared < count(&result, "issued"), "{compared}");
}
