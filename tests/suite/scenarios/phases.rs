//! Phases: when they are, and values of their own.

use apache_avro::types::Value;

use super::{HOUR_US, only, orders, records, since_us};
use crate::determinism::{events, model};

#[test]
fn a_time_of_day_is_the_next_one_after_the_start_where_the_zone_says() {
    let gap = "{ at = \"14:35\", zone = \"Asia/Kolkata\", phases = { gap = { until = \"30m\", rate = 0 } } }";
    // 14:35 in Kolkata is 09:05 in UTC.
    for (start, begins) in [
        ("2026-03-02T08:00:00Z", 65),
        ("2026-03-02T09:05:00Z", 0),
        ("2026-03-02T10:00:00Z", 23 * 60 + 5),
    ] {
        let flags = [("start", start), ("traffic.rate", "20000/h"), ("traffic.scenario", gap)];
        let plan = model("orders", &flags);
        let mut minutes = vec![0; 24 * 60];
        for event in events(&plan, only(&plan, &["orders"], 0..24)) {
            minutes[usize::try_from(since_us(&plan, &event) / (HOUR_US / 60)).unwrap()] += 1;
        }
        let empty: Vec<usize> = (0..minutes.len()).filter(|&at| minutes[at] == 0).collect();
        assert_eq!(empty, (begins..begins + 30).collect::<Vec<_>>(), "{start}");
    }
}

#[test]
fn values_of_a_phase_are_one_draw_for_all_its_fields_and_change_nothing_else() {
    let phase = "{ phases = { p = { from = 1, until = 2, streams = { orders = { \
                 let = { hit = { chance = 0.4 } }, fields = { \
                 status = { expression = \"if hit then 'rejected' else status\" }, \
                 currency = { expression = \"if hit then 'XXX' else currency\" } } } } } } }";
    let flags = [("traffic.rate", "2000/h")];
    let (base, plan) = (orders(&flags), orders(&[flags[0], ("traffic.scenario", phase)]));
    let start_us = plan.start_us;
    let [base, plan] = [&base, &plan].map(|plan| records(plan, "orders", 0..3));
    let (mut hits, mut all) = (0, 0);
    for (identity, record) in &plan {
        let Value::TimestampMicros(at) = record["event_time"] else { panic!("no time") };
        let hit = format!("{:?}", record["currency"]).contains("XXX");
        if hit {
            assert!(format!("{:?}", record["status"]).contains("rejected"));
        } else {
            assert_eq!(record, &base[identity]);
        }
        let inside = (at - start_us).cast_unsigned() / HOUR_US == 1;
        assert!(inside || !hit);
        all += u32::from(inside);
        hits += u32::from(hit);
    }
    let share = f64::from(hits) / f64::from(all);
    assert!((share - 0.4).abs() < 0.06, "{hits} of {all}");
}
