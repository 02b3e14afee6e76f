//! What is told of faults that cannot be.

use super::read;

fn refusal(faults: &str) -> String {
    match read(faults) {
        Ok(_) => panic!("this compiles:\n{faults}"),
        Err(refused) => refused.render(false),
    }
}

#[test]
fn every_mistake_in_a_fault_has_its_place_and_a_way_out() {
    for (fault, what, help) in [
        ("kind = \"droop\"\nshare = 0.1", "cannot be `droop`", "\"drop\""),
        ("share = 0.1", "`faults.x` has no `kind`", "kind = "),
        ("kind = \"drop\"", "has no `share`", "share = 0.001"),
        ("kind = \"drop\"\nshare = 0", "is 0", "above 0"),
        ("kind = \"drop\"\nshare = 2", "must be 0 to 1", ""),
        ("kind = \"drop\"\nshare = 0.1\ndelay = \"1s\"", "no key `delay`", ""),
        (
            "kind = \"drop\"\nshare = 0.1\nstreams = [\"paiments\"]",
            "no stream `paiments`",
            "`payments`",
        ),
        ("kind = \"drop\"\nshare = 0.1\nstreams = []", "names no stream", "leave it out"),
        ("kind = \"drop\"\nshare = 0.1\nphase = \"strom\"", "the phase `strom`", "`storm`"),
        (
            "kind = \"drop\"\nshare = 0.1\nphase = \"storm\"\nfrom = \"1s\"",
            "beside `phase`",
            "one of them",
        ),
        ("kind = \"drop\"\nshare = 0.1\nfrom = \"2s\"\nuntil = \"1s\"", "does not end", "later"),
        ("kind = \"late\"\nshare = 0.1", "has no `delay`", "delay = "),
        ("kind = \"late\"\nshare = 0.1\ndelay = \"0s\"", "no time at all", "above 0"),
        ("kind = \"late\"\nshare = 0.1\ndelay = \"2h\"", "goes to 7200 s", "an hour"),
        ("kind = \"reorder\"\nshare = 0.1\nwithin = \"2h\"", "more than an hour", "memory"),
        ("kind = \"hot_key\"\nshare = 0.1", "has no `key`", "key = "),
        ("kind = \"oversized\"\nshare = 0.1", "has no `bytes`", "bytes = "),
        ("kind = \"oversized\"\nshare = 0.1\nbytes = \"1GiB\"", "64 MiB", ""),
        ("kind = \"silent_partition\"\npartition = 1", "has no end", "until"),
        (
            "kind = \"silent_partition\"\npartition = 1\nuntil = \"2h\"",
            "longer than an hour",
            "drop",
        ),
        ("kind = \"silent_partition\"\nuntil = \"1h\"", "has no `partition`", "partition = 3"),
    ] {
        let told = refusal(&format!("[faults.x]\n{fault}"));
        assert!(told.contains(what) && told.contains(help), "{fault}\n{told}");
        assert!(told.contains("model.toml:"), "{told}");
    }
}

#[test]
fn a_scenario_has_faults_of_its_phases_alone() {
    let told = refusal(
        "[scenarios.s]\nphases = { one = {} }\nfaults = { x = { kind = \"drop\", share = 0.1 } }",
    );
    assert!(told.contains("says no phase"), "{told}");
}
