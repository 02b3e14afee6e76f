//! What is said of scenarios that cannot be.

use tidegate::config::{self, ModelSource, Override, Overrides, Refused};
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::EventStream;

/// What is said of the orders model with a setting.
fn said(key: &str, value: &str) -> String {
    let flags = vec![
        Override::flag("--start", "start", "2026-03-02T00:00:00Z"),
        Override::flag("--set", key, value),
    ];
    let overrides = Overrides { flags, ..Overrides::default() };
    let configuration = match config::read(&ModelSource::named("orders"), &overrides, &|_| None) {
        Ok(configuration) => configuration,
        Err(refused) => return refused.render(false),
    };
    match Plan::compile(&configuration.model, &Inputs::default()) {
        Ok(_) => "fine".to_owned(),
        Err(mistakes) => Refused::new(configuration.source, mistakes).render(false),
    }
}

fn phase(inside: &str) -> String {
    said("traffic.scenario", &format!("{{ phases = {{ p = {{ {inside} }} }} }}"))
}

#[test]
fn phases_that_cannot_be_are_refused_with_the_way_out() {
    for (inside, what) in [
        ("from = 2, until = 1", "does not end after it begins"),
        ("rate = -1", "-1"),
        ("rate = 1e9", "1000000"),
        ("from = 1, rate = { ramp = [1, 2] }", "no end that its rate could go to"),
        ("until = 1, rate = { ramp = [1] }", "has 1 numbers, but must have 2"),
        ("rate = { power = { peak = 2, exponent = 1 } }", "has no `scale`"),
        ("rate = { expression = \"sine(hour)\" }", "did you mean `sin`"),
        ("rate = { expression = \"exp(our)\" }", "did you mean `hour`"),
        ("rate = { steps = 1 }", "is no multiplier"),
        ("until = \"1s\", rate = 2", "shorter than half a tick"),
        ("from = \"25:00\"", "no time of day"),
        ("rate = { expression = \"0 - 1\" }", "must be from 0 up"),
        ("rate = { expression = \"exp(hour)\" }", "come to inf"),
        ("rate = 1000000", "raise `lanes`"),
        ("streams = { order = { rate = 2 } }", "did you mean `orders`"),
        ("streams = { orders = { fields = { chanel = \"identity\" } } }", "did you mean `channel`"),
        ("streams = { orders = { count = 2 } }", "for streams that follow another"),
        ("streams = { orders = { } }", "nothing is said of `orders`"),
        ("streams = { returns = { rate = 20 } }", "is more than all"),
        ("streams = { customer = { rate = 2 } }", "it tells of members or phases"),
        ("rate = 0.5, until = 2, defer = { released = 2, over = \"1h\" }", "2"),
        ("defer = { released = 1, over = \"1h\" }", "no end after which events come"),
        ("wave = 1", "no key `wave`"),
        ("streams = { orders = { let = { a = { chance = 1 } } } }", "can refer to these values"),
        (
            "streams = { orders = { let = { status = { chance = 1 } }, fields = { lines = { constant = 1 } } } }",
            "has a value `status` already",
        ),
        (
            "streams = { orders = { let = { a = { attribute = \"nobody\" } }, fields = { lines = { constant = 1 } } } }",
            "nobody",
        ),
        (
            "entities = { custmer = { attributes = { tier = { constant = \"gold\" } } } }",
            "did you mean `customer`",
        ),
        (
            "entities = { customer = { attributes = { teir = { constant = \"gold\" } } } }",
            "did you mean `tier`",
        ),
        (
            "entities = { product = { attributes = { category = { constant = 1 } } } }",
            "dealt out by `category`",
        ),
        ("entities = { customer = { } }", "attributes = {"),
        (
            "entities = { customer = { attributes = { tier = { attribute = \"customer.teir\" } } } }",
            "has no attribute `teir`",
        ),
    ] {
        let said = phase(inside);
        assert!(said.contains(what), "{inside}: {said}");
    }
}

#[test]
fn scenarios_that_cannot_be_are_refused_with_the_way_out() {
    for (value, what) in [
        ("payment_outrage", "did you mean `payment_outage`"),
        ("nothing_of_the_kind", "one of "),
        ("no_such.toml", "no such file"),
        ("[\"baseline\", \"baseline\"]", "there twice"),
        ("{ use = \"viral_moment\", repeat = \"2h\" }", "ends after the next begins"),
        (
            "{ use = \"viral_moment\", repeat = \"9h\", within = \"10h\" }",
            "more than it repeats in",
        ),
        ("{ use = \"viral_moment\", zone = \"Europe/Pariss\" }", "Europe/Paris"),
        ("{ use = \"viral_moment\", at = \"yesterday\" }", "is not a time"),
        ("{ repeat = \"1d\", phases = { p = { rate = 2 } } }", "has no end"),
        ("{ intensity = 0 }", "must be above 0"),
        ("{ use = \"viral_moment\", at = \"24:35\" }", "no time of day"),
        (
            "{ phases = { a = { until = 2, entities = { customer = { attributes = { tier = { constant = \"gold\" } } } } }, \
             b = { from = 1, entities = { customer = { attributes = { tier = { constant = \"basic\" } } } } } } }",
            "both say what `tier`",
        ),
        (
            "{ phases = { a = { from = 0, until = 2, streams = { orders = { fields = { status = { choice = [\"x\"] } } } } }, \
             b = { from = 1, streams = { orders = { fields = { status = { choice = [\"y\"] } } } } } } }",
            "both say what `status`",
        ),
    ] {
        let said = said("traffic.scenario", value);
        assert!(said.contains(what), "{value}: {said}");
    }
    let said = said("streams.orders.traffic.scenario", "baseline");
    assert!(said.contains("of the model, not of one stream"), "{said}");
}

#[test]
fn a_rate_that_grows_beyond_every_bound_after_years_stops_the_run_and_says_when() {
    let curve = ("curves.shop_day", "{ expression = \"if hours < 20000 then 1 else 4000000\" }");
    for arrivals in ["poisson", "exact"] {
        let plan = super::orders(&[curve, ("traffic.arrivals", arrivals)]);
        let late = super::only(&plan, &["orders"], 20_001..20_002);
        let mut stream = EventStream::start(plan, late).unwrap();
        let error = std::iter::from_fn(|| stream.next_blocking()).find_map(Result::err).unwrap();
        let told = error.to_string();
        assert!(told.contains("20001.00 h after the start") && told.contains("`orders`"), "{told}");
    }
}

#[test]
fn curves_by_formula_are_refused_where_they_cannot_be() {
    for (value, what) in [
        ("{ expression = \"sin(hour)\" }", "must be from 0 up"),
        ("{ expression = \"part\" }", "knows no `part`"),
        ("{ expression = \"1\", normalise = true }", "counts as it is written"),
        ("{ expression = \"'a' == hour\" }", "worked out from numbers"),
        ("{ expression = \"1\", join = \"lines\" }", "only hours are joined"),
    ] {
        let said = said("curves.shop_day", value);
        assert!(said.contains(what), "{value}: {said}");
    }
}
