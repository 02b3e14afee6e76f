//! Places near places, and members near members.

use std::collections::BTreeMap;

use super::{Draft, chi_squared};

/// Four places around Paris, one of which nobody lives in, and two far from all others.
const PLACES: &str = "[tables.places]\nweight = \"people\"\nrows = [\n\
    { name = \"paris\", latitude = 48.8566, longitude = 2.3522, people = 2100, shops = 10 },\n\
    { name = \"versailles\", latitude = 48.8049, longitude = 2.1204, people = 84, shops = 4 },\n\
    { name = \"wood\", latitude = 48.78, longitude = 2.2, people = 0, shops = 1 },\n\
    { name = \"creteil\", latitude = 48.7904, longitude = 2.4556, people = 93, shops = 5 },\n\
    { name = \"suva\", latitude = -18.1416, longitude = 178.4419, people = 93, shops = 3 },\n\
    { name = \"apia\", latitude = -13.8333, longitude = -171.7667, people = 40, shops = 2 } ]\n\
    [entities.person]\ncount = 1000\nactivity = { spread = \"equal\" }\n\
    [entities.person.attributes]\nhome = { table = \"places\", weight = \"shops\" }\n\
    [entities.shop]\ncount = 5000\n[entities.shop.attributes]\n\
    site = { table = \"places\", weight = \"shops\", dealt = true }\n\
    kind = { choice = { food = 2, books = 1 }, dealt = true }\n";

fn draft(fields: &[(&'static str, &'static str, &str)]) -> Draft {
    Draft { more: PLACES.to_owned(), ..Draft::of(fields) }
}

#[test]
fn a_place_near_another_is_drawn_by_weight_and_distance() {
    let draft = draft(&[
        ("home", "string", "{ attribute = \"person.home.name\" }"),
        ("spot_name", "string", "{ attribute = \"spot.name\" }"),
    ]);
    let draft =
        Draft { lets: "spot = { near = \"person.home\", within_km = 30 }".to_owned(), ..draft };
    let mut spots: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for row in draft.rows(100_000) {
        let name = |column: usize| row[column].as_str().unwrap().to_owned();
        *spots.entry(name(0)).or_default().entry(name(1)).or_insert(0.0) += 1.0;
    }
    for (home, only) in [("suva", "suva"), ("apia", "apia")] {
        assert_eq!(spots[home].keys().collect::<Vec<_>>(), [only]);
    }
    for home in ["paris", "versailles", "wood", "creteil"] {
        let names: Vec<&str> = spots[home].keys().map(String::as_str).collect();
        assert_eq!(names, ["creteil", "paris", "versailles"], "{home}");
    }
    // From Paris: 17.9 km to Versailles and 10.6 km to Créteil, as great circles have it.
    let found = &spots["paris"];
    let weights = [2_100.0, 84.0 * (-1.79_f64).exp(), 93.0 * (-1.06_f64).exp()];
    let total: f64 = found.values().sum();
    let expected = weights.map(|weight| weight / weights.iter().sum::<f64>() * total);
    let counts = ["paris", "versailles", "creteil"].map(|name| found[name]);
    assert!(chi_squared(&counts, &expected) > 0.001, "{counts:?} for {expected:?}");
}

#[test]
fn members_near_a_place_are_of_its_neighbours() {
    let shop = "{ entity = \"shop\", near = \"person.home\", within_km = 30, \
                with = { kind = \"kind\" } }";
    let draft = draft(&[
        ("home", "string", "{ attribute = \"person.home.name\" }"),
        ("site", "string", "{ attribute = \"shop.site.name\" }"),
        ("kind", "string", "{ choice = [\"food\", \"books\"] }"),
        ("shop_kind", "string", "{ attribute = \"shop.kind\" }"),
    ]);
    let draft = Draft { lets: format!("shop = {shop}"), ..draft };
    let near_paris = ["paris", "versailles", "wood", "creteil"];
    let mut woods = 0;
    for row in draft.rows(20_000) {
        let name = |column: usize| row[column].as_str().unwrap();
        assert_eq!(near_paris.contains(&name(0)), near_paris.contains(&name(1)), "{row:?}");
        assert_eq!(name(2), name(3));
        assert!(near_paris.contains(&name(0)) || name(0) == name(1), "{row:?}");
        woods += i32::from(name(1) == "wood");
    }
    assert!(woods > 100, "shops in the wood weigh something: {woods}");
}

#[test]
fn what_is_near_nothing_is_refused() {
    for (generator, told) in [
        ("{ near = \"person\", within_km = 5 }", "needs a row"),
        ("{ near = \"person.home\" }", "no `within_km`"),
        ("{ near = \"person.home\", within_km = 0 }", "must be 0.001"),
        ("{ near = \"person.home\", within_km = 5, weight = \"name\" }", "weight `paris`"),
        ("{ near = \"person.home\", within_km = 5, weight = \"shps\" }", "shps"),
        ("{ near = \"other\", within_km = 5 }", "no column `latitude`"),
        ("{ near = \"wrong\", within_km = 5 }", "row 1 of table `wrongs` is no longitude"),
        ("{ entity = \"person\", near = \"person.home\", within_km = 5 }", "not dealt by rows"),
        ("{ entity = \"shop\", near = \"person.home\", within_km = 5 }", "which `kind`"),
    ] {
        let more = format!(
            "{PLACES}[tables.others]\nrows = [{{ a = 1 }}]\n\
             [tables.wrongs]\nrows = [{{ latitude = 1, longitude = 181 }}]\n"
        );
        let lets = format!(
            "other = {{ table = \"others\" }}\nwrong = {{ table = \"wrongs\" }}\nx = {generator}"
        );
        let draft = Draft { more, lets, ..Draft::of(&[("id", "string", "\"identity\"")]) };
        let refusal = draft.refusal().replace("\n  │ ", "");
        assert!(refusal.contains(told), "{generator}: {refusal}");
    }
}
