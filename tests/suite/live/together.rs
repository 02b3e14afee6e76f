//! Shards that run at once into one topic.

use tidegate::encode::registry::{Options, Part, Registry, Subject};

use super::arrival::{PAYMENTS, arrived};
use super::{LONG, Site, count, payments};
use crate::cli::{Running, assert_exit, json};

#[test]
fn two_shards_at_once_are_the_unsharded_run() {
    let Some(site) = Site::shared() else { return };
    let (sharded, whole) = ("live.sharded", "live.whole");
    let at = jiff::Timestamp::now() + std::time::Duration::from_secs(5);
    let span = "--start 2026-03-02T09:00:00Z --duration 40s";
    // Both find no topic, and both may make it.
    let shard = |index: u32| {
        let flags = format!("{} {span} --speed 10 --at {at} --shard {index}/2", payments(sharded));
        Running::start(site.command(&flags))
    };
    let shards = [0, 1].map(shard);
    let results = shards.map(|shard| {
        let output = shard.wait(LONG);
        assert_exit(&output, 0);
        json(&output)
    });
    let unsharded = site.run(&format!("{} {span} --speed max", payments(whole)));
    assert_exit(&unsharded, 0);
    let together = arrived(&site, sharded, PAYMENTS);
    let alone = arrived(&site, whole, PAYMENTS);
    assert!(together.count > 5_000, "{}", together.count);
    let [first, second] = results.map(|result| count(&result, "delivered"));
    assert!(first > 1_000 && second > 1_000, "{first} and {second}");
    assert_eq!(first + second, together.count);
    assert_eq!(together.numbers, alone.numbers);
    assert_eq!(together.digest, alone.digest);
    assert_eq!(json(&unsharded)["digest"], alone.digest.as_str());
}

#[test]
fn all_who_register_a_new_schema_at_once_get_its_id() {
    let Some(site) = Site::shared() else { return };
    let schema = r#"{"type":"record","name":"Race","fields":[{"name":"a","type":"int"}]}"#;
    let options = Options { urls: vec![site.registry.clone()], ..Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for topic in ["live.race.1", "live.race.2", "live.race.3", "live.race.4"] {
        let ids = runtime.block_on(futures::future::join_all((0..8).map(|_| async {
            let registry = Registry::connect(&options).unwrap();
            let subject = Subject { topic, record: Some("Race"), part: Part::Value };
            registry.resolve(&subject, schema).await.unwrap().id
        })));
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}
