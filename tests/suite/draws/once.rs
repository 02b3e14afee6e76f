//! What is drawn once: for a member, a favourite of it, or a period of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::{Draft, chi_squared};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// 500 people and 5,000 shops.
const PEOPLE: &str = "[entities.person]\ncount = 500\nactivity = { spread = \"equal\" }\n\
                      [entities.shop]\ncount = 5000\npopularity = { zipf = 0.9 }\n";

fn draft(lets: &str, fields: &[(&'static str, &'static str, &str)]) -> Draft {
    Draft { more: PEOPLE.to_owned(), lets: lets.to_owned(), ..Draft::of(fields) }
}

/// The values of a column, by what stands in others.
fn by(
    rows: &[Vec<Value>],
    keys: &[usize],
    column: usize,
) -> BTreeMap<Vec<String>, BTreeMap<String, f64>> {
    let mut found: BTreeMap<Vec<String>, BTreeMap<String, f64>> = BTreeMap::new();
    for row in rows {
        let key = keys.iter().map(|key| row[*key].to_string()).collect();
        *found.entry(key).or_default().entry(row[column].to_string()).or_insert(0.0) += 1.0;
    }
    found
}

#[test]
fn what_is_drawn_once_for_a_member_is_the_same_in_all_its_events() {
    let draft = draft(
        "",
        &[
            ("person", "string", "{ entity = \"person\" }"),
            ("dish", "string", "{ choice = { soup = 3, fish = 1 }, once = \"person\" }"),
            ("shop", "string", "{ entity = \"shop\", once = \"person\" }"),
            ("other", "string", "{ choice = { soup = 3, fish = 1 } }"),
        ],
    );
    let rows = draft.rows(50_000);
    let dishes = by(&rows, &[0], 1);
    assert_eq!(dishes.len(), 500);
    assert!(dishes.values().all(|values| values.len() == 1), "{dishes:?}");
    assert!(by(&rows, &[0], 2).values().all(|values| values.len() == 1));
    assert!(by(&rows, &[0], 3).values().all(|values| values.len() == 2));
    let soups = dishes.values().filter(|values| values.contains_key("\"soup\"")).count() as f64;
    let chance = chi_squared(&[soups, 500.0 - soups], &[375.0, 125.0]);
    assert!(chance > 0.001, "{soups}");
    // Another window has the same draws: they hang on nothing but the person.
    let plan = Arc::new(draft.plan().unwrap());
    let later = draft.rows_of(&plan, 20_000, 3_600_000_000);
    let shops = by(&rows, &[0], 2);
    for (person, values) in by(&later, &[0], 2) {
        assert_eq!(values.keys().next(), shops[&person].keys().next());
    }
}

#[test]
fn favourites_are_visited_again_and_take_their_share() {
    let draft = draft(
        "usual = { favourite = 12, of = \"person\", share = 0.7, exponent = 1 }",
        &[
            ("person", "string", "{ entity = \"person\" }"),
            ("which", "[\"null\", \"int\"]", "{ attribute = \"usual\" }"),
            ("shop", "string", "{ entity = \"shop\", once = \"usual\" }"),
            ("till", "int", "{ uniform = [0, 999999], once = \"usual\" }"),
        ],
    );
    let rows = draft.rows(200_000);
    let (usual, rest): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| !row[1].is_null());
    let chance =
        chi_squared(&[usual.len() as f64, rest.len() as f64], &[200_000.0 * 0.7, 200_000.0 * 0.3]);
    assert!(chance > 0.001, "{chance}");
    let shops = by(&usual, &[0, 1], 2);
    assert!(shops.values().all(|values| values.len() == 1), "a favourite is one shop");
    assert!(by(&usual, &[0, 1], 3).values().all(|values| values.len() == 1));
    assert_eq!(shops.len(), 500 * 12);
    // The r-th favourite in proportion to 1 / r.
    let mut ranks = [0.0; 12];
    for row in &usual {
        ranks[usize::try_from(row[1].as_u64().unwrap()).unwrap()] += 1.0;
    }
    let total: f64 = (1..=12).map(|rank| 1.0 / f64::from(rank)).sum();
    let share = |rank: u32| usual.len() as f64 / f64::from(rank) / total;
    let expected: Vec<f64> = (1..=12).map(share).collect();
    assert!(chi_squared(&ranks, &expected) > 0.001, "{ranks:?}");
    // Where there is none, each event draws on its own.
    let tills: BTreeSet<String> = rest.iter().map(|row| row[3].to_string()).collect();
    assert!(tills.len() > rest.len() * 9 / 10, "{}", tills.len());
}

#[test]
fn a_habit_is_a_few_members_of_many() {
    let habit = "{ habit = \"shop\", of = \"person\", favourites = 5, share = 0.8 }";
    let draft =
        draft("", &[("person", "string", "{ entity = \"person\" }"), ("shop", "string", habit)]);
    let rows = draft.rows(100_000);
    let mut usual = 0.0;
    for shops in by(&rows, &[0], 1).values() {
        let mut counts: Vec<f64> = shops.values().copied().collect();
        counts.sort_by(|a, b| b.total_cmp(a));
        usual += counts.iter().take(5).sum::<f64>();
    }
    // Some of the other picks are of the same shops by chance.
    let share = usual / rows.len() as f64;
    assert!((0.79..0.84).contains(&share), "{share}");
}

#[test]
fn periods_of_each_member_have_one_length_and_begin_at_moments_of_their_own() {
    let draft = Draft {
        rate: "400/s",
        ..draft(
            "trip = { period = \"1m\", of = \"person\" }",
            &[
                ("person", "string", "{ entity = \"person\" }"),
                ("at", "long", "\"event_time\""),
                ("which", "int", "{ expression = \"trip\" }"),
                ("away", "boolean", "{ chance = 0.25, once = \"trip\" }"),
            ],
        )
    };
    let rows = draft.rows(100_000);
    let mut trips: BTreeMap<(String, i64), Vec<i64>> = BTreeMap::new();
    for row in &rows {
        let key = (row[0].to_string(), row[2].as_i64().unwrap());
        trips.entry(key).or_default().push(row[1].as_i64().unwrap());
    }
    let mut begun = Vec::new();
    for ((person, trip), times) in &trips {
        let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!(last - first < 60 * SECOND_US, "{person} {trip}");
        if let Some(next) = trips.get(&(person.clone(), trip + 1)) {
            assert!(last < next.iter().min().unwrap(), "{person} {trip}");
        }
        begun.push(*first / SECOND_US % 60);
    }
    let people = by(&rows, &[0], 2);
    assert!(people.values().all(|trips| (4..=6).contains(&trips.len())), "{people:?}");
    // Each second of the minute begins some.
    assert_eq!(begun.into_iter().collect::<BTreeSet<i64>>().len(), 60);
    let away = by(&rows, &[0, 2], 3);
    assert!(away.values().all(|values| values.len() == 1));
    let away = away.values().filter(|values| values.contains_key("true")).count() as f64;
    let chance = chi_squared(
        &[away, trips.len() as f64 - away],
        &[trips.len() as f64 * 0.25, trips.len() as f64 * 0.75],
    );
    assert!(chance > 0.001, "{away} of {}", trips.len());
}

#[test]
fn periods_begin_at_the_local_hour_that_is_asked_for() {
    let draft = Draft {
        rate: "30/m",
        more: "[tables.homes]\nrows = [ { zone = \"Asia/Tokyo\", east = 9 }, \
               { zone = \"Asia/Dubai\", east = 4 }, { zone = \"America/Lima\", east = -5 } ]\n\
               [entities.person]\ncount = 90\nactivity = { spread = \"equal\" }\n\
               [entities.person.attributes]\nhome = { table = \"homes\" }\n"
            .to_owned(),
        lets: "trip = { period = \"2d\", of = \"person\", begins = \"04:00\", \
               zone = \"person.home.zone\" }"
            .to_owned(),
        ..Draft::of(&[
            ("person", "string", "{ entity = \"person\" }"),
            ("at", "long", "\"event_time\""),
            ("east", "long", "{ attribute = \"person.home.east\" }"),
            ("which", "int", "{ expression = \"trip\" }"),
        ])
    };
    let rows = draft.rows(200_000);
    let mut last: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let mut changes = [0; 2];
    for row in &rows {
        let number = |column: usize| row[column].as_i64().unwrap();
        // Days that begin at four.
        let day = (number(1) + (number(2) - 4) * 3_600 * SECOND_US) / DAY_US;
        let (trip, person) = (number(3), row[0].to_string());
        if let Some((before, trip_before)) = last.insert(person, (day, trip))
            && trip != trip_before
        {
            assert!(trip == trip_before + 1 && day > before, "{row:?}");
            changes[usize::try_from(day % 2).unwrap()] += 1;
        }
    }
    // 90 people, almost five days: each changes twice or three times, half of them each day.
    assert!(changes.iter().all(|count| (60..=160).contains(count)), "{changes:?}");
}

#[test]
fn the_items_of_a_list_have_their_favourites_too() {
    let item = "{ array = { entity = \"shop\", once = \"usual\" }, length = 3 }";
    let draft = draft(
        "usual = { favourite = 2, of = \"person\" }",
        &[
            ("person", "string", "{ entity = \"person\" }"),
            ("which", "int", "{ expression = \"usual\" }"),
            ("shops", r#"{"type":"array","items":"string"}"#, item),
        ],
    );
    let shops = by(&draft.rows(20_000), &[0, 1], 2);
    assert_eq!(shops.len(), 1_000);
    for lists in shops.values() {
        let list: Vec<String> = serde_json::from_str(lists.keys().next().unwrap()).unwrap();
        assert!(lists.len() == 1 && list.iter().all(|shop| *shop == list[0]), "{lists:?}");
    }
}

#[test]
fn what_cannot_be_drawn_once_is_refused_with_its_place() {
    let field = |lets: &str, generator: &str| draft(lets, &[("x", "string", generator)]).refusal();
    for (lets, generator, told) in [
        (
            "n = { uniform = [1, 9] }",
            "{ choice = [\"a\"], once = \"n\" }",
            "once for a whole number",
        ),
        ("", "{ choice = [\"a\"], once = \"persn\" }", "did you mean `person`"),
        ("", "{ token = \"hex\", length = 16, once = \"person\" }", "for each event"),
        ("", "{ local_time = \"person.zone\", once = \"person\" }", "its own"),
        ("", "{ habit = \"shop\", of = \"person\" }", "has no `favourites`"),
        (
            "f = { favourite = 0, of = \"person\" }",
            "{ choice = [\"a\"], once = \"f\" }",
            "1 to 4096",
        ),
        ("f = { favourite = 3 }", "{ choice = [\"a\"], once = \"f\" }", "no `of`"),
        ("f = { period = \"30s\", of = \"person\" }", "{ constant = \"a\" }", "60 s"),
        (
            "f = { period = \"36h\", of = \"person\", begins = \"04:00\", zone = \"person.zone\" }",
            "{ constant = \"a\" }",
            "whole days",
        ),
        (
            "f = { period = \"3d\", of = \"person\", begins = \"04:00\" }",
            "{ constant = \"a\" }",
            "zone",
        ),
        (
            "f = { period = \"3d\", of = \"person\", begins = \"4\", zone = \"person.zone\" }",
            "{ constant = \"a\" }",
            "time of day",
        ),
    ] {
        let refusal = field(lets, generator);
        let refusal = refusal.replace("\n  │ ", "");
        assert!(refusal.contains(told), "{lets} {generator}: {refusal}");
        assert!(refusal.contains("model.toml:"), "{refusal}");
    }
    let more = format!(
        "{PEOPLE}[entities.person.attributes]\na = {{ choice = [\"x\"], once = \"person\" }}\n"
    );
    let draft = Draft { more, ..Draft::of(&[("x", "string", "{ attribute = \"person.a\" }")]) };
    assert!(draft.refusal().contains("once for its member anyway"));
}
