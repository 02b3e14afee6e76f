//! Values that people know: names, addresses, numbers with check digits, and where they must stay.

mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde_json::Value;
use tidegate::config::Refused;
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::Options;

use crate::members::{read, rows};
use reference::{chi_squared, distance_km, iban_is_sound, luhn_is_sound, reserved};

/// How many events are looked at.
const EVENTS: u64 = 10_000;

const TABLES: &str = r#"
[tables.places]
rows = [
  { code = "DE", latitude = 52.52, longitude = 13.40 },
  { code = "GB", latitude = 51.51, longitude = -0.13 },
  { code = "JP", latitude = 35.68, longitude = 139.69 },
  { code = "FJ", latitude = -16.50, longitude = 179.99 },
  { code = "NO", latitude = 78.22, longitude = 15.64 },
]
[entities.person]
count = 500
[entities.person.attributes]
home  = { table = "places" }
name  = { person_name = "en", by = "home.code" }
email = { email = "name" }
phone = { phone = "US", by = "home.code" }
iban  = { iban = "FR", by = "home.code" }
card  = "pan"
"#;

/// The values of the first events of a stream with these `let` values, each of them a field of text
/// under its own name.
fn values(lets: &str, events: u64) -> Vec<BTreeMap<String, String>> {
    let names: Vec<&str> = lets
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim())
        .collect();
    let fields: Vec<String> =
        names.iter().map(|name| format!("{name}_ = {{ attribute = \"{name}\" }}")).collect();
    let schema: Vec<String> =
        names.iter().map(|name| format!(r#"{{"name":"{name}_","type":"string"}}"#)).collect();
    let schema = format!(r#"{{"type":"record","name":"Event","fields":[{}]}}"#, schema.join(","));
    of(lets, &fields.join("\n"), &schema, events)
        .iter()
        .map(|row| {
            let text = |(name, value): (&String, &Value)| {
                (name.trim_end_matches('_').to_owned(), value.as_str().unwrap().to_owned())
            };
            row.as_object().unwrap().iter().map(text).collect()
        })
        .collect()
}

fn model(lets: &str, fields: &str) -> String {
    format!(
        "seed = 7\nstart = \"2026-03-02T00:00:00Z\"\n[traffic]\nrate = \"5000/s\"\n{TABLES}\n\
         [streams.s]\ntopic = \"t\"\nschema = \"Event.avsc\"\n[streams.s.let]\n{lets}\n\
         [streams.s.fields]\n{fields}"
    )
}

fn of(lets: &str, fields: &str, schema: &str, events: u64) -> Vec<Value> {
    let text = model(lets, fields);
    let configuration =
        read(&text, &[("Event.avsc", schema)]).map_err(|refused| refused.render(false)).unwrap();
    let plan = Plan::compile(&configuration.model, &Inputs::default())
        .map_err(|mistakes| Refused::new(configuration.source.clone(), mistakes).render(false));
    let plan = Arc::new(plan.unwrap());
    let options = Options { count: Some(events), ..Options::default() };
    let found: Vec<Value> = rows(&plan, options).into_iter().map(|(_, row)| row).collect();
    assert_eq!(found.len() as u64, events);
    found
}

/// The refusal of a model with this value in its `let`.
fn refusal(value: &str) -> String {
    let schema = r#"{"type":"record","name":"Event","fields":[{"name":"id","type":"string"}]}"#;
    let text = model(&format!("v = {value}"), "id = \"identity\"");
    let refused = match read(&text, &[("Event.avsc", schema)]) {
        Err(refused) => refused,
        Ok(configuration) => {
            let mistakes = Plan::compile(&configuration.model, &Inputs::default()).unwrap_err();
            Refused::new(configuration.source, mistakes)
        }
    };
    refused.render(false)
}

#[test]
fn check_digits_of_accounts_are_right_in_every_country() {
    let mut countries = BTreeMap::<String, BTreeSet<usize>>::new();
    for row in
        values("a = \"iban\"\nb = { iban = \"DE\" }\nc = { attribute = \"a.country\" }", EVENTS)
    {
        for iban in [&row["a"], &row["b"]] {
            assert!(iban_is_sound(iban), "{iban}");
        }
        assert!(
            row["b"].starts_with("DE") && row["b"][4..].starts_with("00000000"),
            "{}",
            row["b"]
        );
        assert_eq!(row["a"][..2], row["c"]);
        countries.entry(row["c"].clone()).or_default().insert(row["a"].len());
    }
    // As the SWIFT registry has them.
    for (country, length) in [
        ("DE", 22),
        ("GB", 22),
        ("FR", 27),
        ("ES", 24),
        ("IT", 27),
        ("NL", 18),
        ("PL", 28),
        ("TR", 26),
    ] {
        assert_eq!(countries[country], BTreeSet::from([length]), "{country}");
    }
    assert!(countries.len() >= 35, "{}", countries.len());
}

#[test]
fn cards_have_the_digits_of_luhn_and_begin_as_test_numbers_do() {
    let lets = "a = \"pan\"\nb = { pan = [\"amex\", \"diners\"] }\nbin = { attribute = \"a.bin\" }\n\
                last = { attribute = \"a.last4\" }\nmasked = { attribute = \"a.masked\" }\n\
                scheme = { attribute = \"b.scheme\" }";
    let mut lengths = BTreeSet::new();
    for row in values(lets, EVENTS) {
        let (card, other) = (&row["a"], &row["b"]);
        assert!(luhn_is_sound(card) && luhn_is_sound(other), "{card} {other}");
        assert!(card.starts_with(&row["bin"]) && card.ends_with(&row["last"]), "{row:?}");
        assert!(reserved::BINS.contains(&row["bin"].as_str()), "{card}");
        let stars = "*".repeat(card.len() - 10);
        assert_eq!(row["masked"], format!("{}{stars}{}", &card[..6], &card[card.len() - 4..]));
        assert_eq!(other.len(), if row["scheme"] == "amex" { 15 } else { 14 });
        lengths.insert(card.len());
    }
    assert_eq!(lengths, BTreeSet::from([14, 15, 16]));
}

#[test]
fn telephone_numbers_never_leave_the_ranges_for_fiction() {
    let countries = ["US", "CA", "GB", "DE", "FR", "AU", "IE", "SE"];
    let all = countries.map(|code| format!("\"{code}\"")).join(", ");
    let lets =
        format!("a = \"phone\"\nb = {{ phone = [{all}] }}\nc = {{ attribute = \"b.country\" }}");
    let mut numbers = BTreeMap::<String, BTreeSet<String>>::new();
    for row in values(&lets, EVENTS) {
        assert!(reserved::is_phone(&row["a"], "US"), "{}", row["a"]);
        assert!(reserved::is_phone(&row["b"], &row["c"]), "{row:?}");
        numbers.entry(row["c"].clone()).or_default().insert(row["b"].clone());
    }
    assert_eq!(numbers.len(), countries.len());
    let few = numbers.iter().find(|(_, numbers)| numbers.len() < 200);
    assert!(few.is_none(), "{few:?}");
}

#[test]
fn addresses_of_mail_are_of_the_name_and_at_domains_that_nobody_has() {
    let lets = "name = { person_name = [\"de\", \"pl\", \"tr\"] }\nmail = { email = \"name\" }\n\
                own = \"email\"\nfirm = { company = \"DE\" }\nfirm_mail = { email = \"firm\" }\n\
                first = { attribute = \"name.first\" }\nlast = { attribute = \"name.last\" }";
    for row in values(lets, EVENTS) {
        for mail in [&row["mail"], &row["own"], &row["firm_mail"]] {
            let (user, domain) = mail.split_once('@').unwrap();
            assert!(["example.com", "example.org", "example.net"].contains(&domain), "{mail}");
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
            assert!(!user.is_empty() && user.chars().all(good), "{mail}");
        }
        assert_eq!(row["name"], format!("{} {}", row["first"], row["last"]));
        if row["first"].is_ascii() && row["first"].chars().all(|it| it.is_ascii_alphabetic()) {
            assert!(row["mail"].starts_with(&row["first"].to_lowercase()), "{row:?}");
        }
    }
}

#[test]
fn addresses_of_machines_never_leave_the_ranges_that_nobody_has() {
    let lets = "a = \"ipv4\"\nb = { ipv4 = \"documentation\" }\nc = { ipv4 = \"private\" }\n\
                d = { ipv4 = \"shared\" }\ne = { ipv4 = \"reserved\" }\nsix = \"ipv6\"\nmac = \"mac\"";
    let mut seen = BTreeSet::new();
    for row in values(lets, EVENTS) {
        let four = |name: &str| row[name].parse::<Ipv4Addr>().unwrap();
        let octets = |name: &str| four(name).octets();
        assert!(octets("a")[0] == 198 && octets("a")[1] | 1 == 19, "{row:?}");
        assert!(four("b").is_documentation() && four("c").is_private(), "{row:?}");
        assert!(octets("d")[0] == 100 && octets("d")[1] & 0xc0 == 0x40, "{row:?}");
        assert!((240..255).contains(&octets("e")[0]), "{row:?}");
        let six: Ipv6Addr = row["six"].parse().unwrap();
        assert_eq!((six.segments()[0], six.segments()[1]), (0x2001, 0xdb8));
        assert_eq!(six.to_string(), row["six"], "the only text of its address");
        let mac: Vec<u8> =
            row["mac"].split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert_eq!((mac.len(), row["mac"].len(), mac[0] & 3), (6, 17, 2), "{}", row["mac"]);
        seen.insert(row["six"].clone());
    }
    assert_eq!(seen.len() as u64, EVENTS);
}

#[test]
fn random_uuids_are_of_version_4_and_all_their_bits_are_drawn() {
    let mut ones = [0_u64; 128];
    for row in values("a = \"uuid\"", EVENTS) {
        let uuid: uuid::Uuid = row["a"].parse().unwrap();
        assert_eq!(uuid.get_version(), Some(uuid::Version::Random), "{uuid}");
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122, "{uuid}");
        let bits = uuid.as_u128();
        (0..128).for_each(|bit| ones[bit] += u64::try_from(bits >> bit & 1).unwrap());
    }
    // Version and variant stand; six standard deviations for each of the others.
    let drawn = ones.iter().filter(|&&ones| ones.abs_diff(EVENTS / 2) < 300).count();
    assert_eq!(drawn, 122, "{ones:?}");
}

#[test]
fn every_language_has_its_letters_and_enough_names() {
    for (locale, letters, usual) in [
        ("en", "", "Smith"),
        ("de", "äöüß", "Müller"),
        ("fr", "éçï", "Martin"),
        ("es", "áéíñ", "García"),
        ("it", "", "Rossi"),
        ("pl", "łńśąż", "Nowak"),
        ("pt", "ãçéí", "Silva"),
        ("nl", "", "Bakker"),
        ("tr", "ıığşçöü", "Yılmaz"),
        ("ja", "", "Sato"),
        ("in", "", "Sharma"),
        ("sv", "åäö", "Andersson"),
        ("da", "øæ", "Nielsen"),
        ("nb", "øå", "Hansen"),
        ("fi", "äö", "Korhonen"),
    ] {
        let lets = format!(
            "n = {{ person_name = \"{locale}\" }}\nf = {{ attribute = \"n.first\" }}\n\
             l = {{ attribute = \"n.last\" }}\ng = {{ attribute = \"n.gender\" }}"
        );
        let rows = values(&lets, 8_000);
        let all = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<BTreeSet<_>>();
        let (first, last) = (all("f"), all("l"));
        assert!(first.len() > 100 && last.len() >= 90, "{locale}: {} {}", first.len(), last.len());
        assert!(last.contains(usual), "{locale}: no {usual}");
        let text: String = first.into_iter().chain(last).collect::<String>().to_lowercase();
        let missing: Vec<char> = letters.chars().filter(|letter| !text.contains(*letter)).collect();
        assert!(missing.is_empty(), "{locale} has no {missing:?}");
        assert_eq!(all("g").len(), 2, "{locale}");
    }
}

#[test]
fn browsers_have_their_shares() {
    let table = include_str!("../../config/words/user_agents.csv");
    let mut csv = csv::Reader::from_reader(table.as_bytes());
    let all: Vec<BTreeMap<String, String>> = csv.deserialize().map(Result::unwrap).collect();
    let rows = values("a = \"user_agent\"\nb = { user_agent = \"mobile\" }", EVENTS);
    for (name, device) in [("a", None), ("b", Some("mobile"))] {
        let wanted = all.iter().filter(|row| device.is_none_or(|device| row["device"] == device));
        let shares: BTreeMap<&str, f64> =
            wanted.map(|row| (row["agent"].as_str(), row["weight"].parse().unwrap())).collect();
        let mut counts = BTreeMap::<&str, u64>::new();
        for row in &rows {
            *counts.entry(row[name].as_str()).or_default() += 1;
        }
        let (found, limit) = chi_squared(&counts, &shares);
        assert!(found < limit, "{name}: {found} is not below {limit}");
    }
}

#[test]
fn what_belongs_to_a_country_agrees() {
    let lets = "home = { table = \"places\", column = \"code\" }\n\
                country = { country = \"US\", by = \"home\" }\n\
                money = { currency = \"USD\", by = \"home\" }\n\
                own_money = { attribute = \"country.currency\" }\n\
                city = { city = \"FR\", by = \"home\" }\ncity_in = { attribute = \"city.country\" }\n\
                iban = { iban = \"FR\", by = \"country\" }\n\
                phone = { phone = \"AU\", by = \"home\" }\n\
                digits = { attribute = \"money.digits\" }\n\
                street = { street = \"en\", by = \"home\" }";
    for row in values(lets, EVENTS) {
        let home = row["home"].as_str();
        assert_eq!((row["country"].as_str(), row["city_in"].as_str()), (home, home));
        assert_eq!(row["money"], row["own_money"]);
        assert_eq!(row["digits"], if home == "JP" { "0" } else { "2" });
        // Where a country has none, what stands behind the key counts.
        let iban = if ["JP", "FJ"].contains(&home) { "FR" } else { home };
        assert!(row["iban"].starts_with(iban) && iban_is_sound(&row["iban"]), "{row:?}");
        let phone = if ["DE", "GB"].contains(&home) { home } else { "AU" };
        assert!(reserved::is_phone(&row["phone"], phone), "{row:?}");
        let number_first = row["street"].starts_with(|letter: char| letter.is_ascii_digit());
        assert_eq!(number_first, ["GB", "FJ"].contains(&home), "{row:?}");
    }
}

#[test]
fn members_keep_what_they_have() {
    let lets = "id = { attribute = \"person\" }\nname = { attribute = \"person.name\" }\n\
                mail = { attribute = \"person.email\" }\nphone = { attribute = \"person.phone\" }\n\
                iban = { attribute = \"person.iban\" }\ncard = { attribute = \"person.card\" }\n\
                text = { template = \"{person.name.first}/{person.card.last4}/{name}\" }";
    let mut known = BTreeMap::new();
    for row in values(lets, EVENTS) {
        assert!(iban_is_sound(&row["iban"]) && luhn_is_sound(&row["card"]), "{row:?}");
        let first = row["text"].split('/').next().unwrap();
        assert!(row["name"].starts_with(first) && row["text"].ends_with(&row["name"]), "{row:?}");
        let kept = known.entry(row["id"].clone()).or_insert_with(|| row.clone());
        assert_eq!(*kept, row);
    }
    assert_eq!(known.len(), 500);
    let names: BTreeSet<_> = known.values().map(|row| row["name"].clone()).collect();
    assert!(names.len() > 480, "{}", names.len());
}

#[test]
fn places_near_a_place_are_never_too_far_and_lie_evenly() {
    let lets = "home = { table = \"places\" }\nnear = { coordinates = \"home\", within_km = 30 }\n\
                far = { coordinates = \"home\", within_km = 500 }\n\
                lat = { attribute = \"near.latitude\" }\nlon = { attribute = \"near.longitude\" }\n\
                far_lat = { attribute = \"far.latitude\" }\nfar_lon = { attribute = \"far.longitude\" }\n\
                here = { coordinates = \"city\", within_km = 0.05 }\n\
                city = \"city\"\nhome_lat = { attribute = \"home.latitude\" }\n\
                home_lon = { attribute = \"home.longitude\" }\ncity_lat = { attribute = \"city.latitude\" }\n\
                city_lon = { attribute = \"city.longitude\" }";
    let lets = lets.replace("home = { table = \"places\" }\n", "");
    let rows = of_places(&lets);
    let mut rings = [0_u64; 10];
    let mut sectors = [0_u64; 8];
    for row in &rows {
        let at = |name: &str| row[name].parse::<f64>().unwrap();
        let place = |lat: &str, lon: &str| (at(lat), at(lon));
        let home = place("home_lat", "home_lon");
        let km = distance_km(home, place("lat", "lon"));
        assert!(km <= 30.0 + 0.001, "{km} km: {row:?}");
        let far = distance_km(home, place("far_lat", "far_lon"));
        assert!(far <= 500.0 + 0.001, "{far} km: {row:?}");
        let (lat, lon) = row["here"].split_once(',').unwrap();
        let here = (lat.parse().unwrap(), lon.parse().unwrap());
        let close = distance_km(place("city_lat", "city_lon"), here);
        assert!(close <= 0.0505, "{close} km: {row:?}");
        assert!((-180.0..=180.0).contains(&at("lon")) && at("lat").abs() <= 90.0, "{row:?}");
        // The parallels of the far north are too curved to ask for evenness.
        if home.0 < 60.0 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 10")]
            let ring = (km * km / 900.0 * 10.0) as usize;
            rings[ring.min(9)] += 1;
            let north = at("lat") - home.0;
            let mut east = at("lon") - home.1;
            east -= (east / 360.0).round() * 360.0;
            let angle =
                north.atan2(east * home.0.to_radians().cos()).to_degrees().rem_euclid(360.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 8")]
            let sector = (angle / 45.0) as usize;
            sectors[sector.min(7)] += 1;
        }
    }
    for (what, counts) in [("rings", &rings[..]), ("sectors", &sectors[..])] {
        let total: u64 = counts.iter().sum();
        let share = total as f64 / counts.len() as f64;
        let worst =
            counts.iter().map(|&count| (count as f64 - share).abs() / share).fold(0.0, f64::max);
        // Rings of 800 each: four standard deviations; the edge is cut by the step of the chord.
        assert!(worst < 0.15, "{what}: {counts:?}");
    }
}

/// Rows with a home of each event's own.
fn of_places(lets: &str) -> Vec<BTreeMap<String, String>> {
    let lets = format!("{lets}\n").replace("\"home", "\"person.home");
    values(&lets, EVENTS)
}

#[test]
fn words_without_a_meaning_have_their_lengths() {
    let lets = "l = { lorem = 7 }\nh = { hash = 64 }\ns = { hash = 3 }\np = \"product\"\n\
                noun = { attribute = \"p.noun\" }\nc = \"company\"\nform = { attribute = \"c.form\" }";
    for row in values(lets, 2_000) {
        assert_eq!(row["l"].split(' ').count(), 7);
        assert_eq!((row["h"].len(), row["s"].len()), (64, 3));
        assert!(row["h"].bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", row["h"]);
        assert!(row["p"].ends_with(&row["noun"]) && row["p"].split(' ').count() == 3, "{row:?}");
        assert!(row["c"].ends_with(&row["form"]), "{row:?}");
    }
}

#[test]
fn values_with_parts_fill_records_and_follow_conditions() {
    let schema = r#"{"type":"record","name":"Event","fields":[
        {"name":"who","type":{"type":"record","name":"Who","fields":[
            {"name":"first","type":"string"},{"name":"last","type":"string"}]}},
        {"name":"place","type":{"type":"record","name":"Place","fields":[
            {"name":"latitude","type":"double"},{"name":"longitude","type":"double"}]}},
        {"name":"maybe","type":["null","string"]},
        {"name":"maybe_who","type":["null","Who"]},
        {"name":"mails","type":{"type":"array","items":"string"}},
        {"name":"friends","type":{"type":"array","items":"Who"}},
        {"name":"address","type":{"type":"record","name":"Address","fields":[
            {"name":"street","type":"string"},{"name":"city","type":"string"}]}},
        {"name":"initial","type":"string"}]}"#;
    let lets = "side = { choice = [\"left\", \"right\"] }\n\
                town = { city = \"NL\" }\n\
                one = { by = \"side\", cases = { left = { person_name = \"ja\" }, right = { person_name = \"pl\" } } }";
    let fields = "who = { attribute = \"one\" }\n\
                  place = { coordinates = \"town\", within_km = 1 }\n\
                  maybe = { when = \"side == 'left'\", user_agent = true }\n\
                  maybe_who = { when = \"side == 'left'\", attribute = \"one\" }\n\
                  mails = { array = { email = \"one\" }, length = [1, 3] }\n\
                  friends = { array = { person_name = \"fr\" }, length = 2 }\n\
                  address.street = \"street\"\naddress.city = { city = [\"DE\", \"FR\"] }\n\
                  initial = { template = \"{one.first}|{side}\" }";
    let (mut polish, mut twins) = (0, 0);
    for row in of(lets, fields, schema, 2_000) {
        let (first, side) = row["initial"].as_str().unwrap().split_once('|').unwrap();
        assert_eq!(row["who"]["first"], first);
        assert_eq!(row["maybe"].is_null(), side == "right", "{row}");
        if side == "left" {
            assert_eq!(row["maybe_who"], row["who"]);
        } else {
            assert!(row["maybe_who"].is_null(), "{row}");
        }
        let friends = row["friends"].as_array().unwrap();
        twins += u32::from(friends[0] == friends[1]);
        for mail in row["mails"].as_array().unwrap() {
            let mail = mail.as_str().unwrap();
            assert!(side == "right" || mail.starts_with(&first.to_lowercase()), "{row}");
        }
        let latitude = row["place"]["latitude"].as_f64().unwrap();
        assert!((50.0..54.0).contains(&latitude), "{row}");
        if side == "left" {
            assert!(first.is_ascii(), "{row}");
        } else {
            polish += u32::from(row["who"]["last"] == "Nowak");
        }
    }
    assert!(polish > 5 && twins < 5, "{polish} {twins}");
}

#[test]
fn what_cannot_be_is_refused_with_the_way_out() {
    for (value, what, help) in [
        ("{ iban = \"DR\" }", "`streams.s.let.v.iban` knows no `DR`", "known: `AD`"),
        ("{ person_name = [\"de\", \"dee\"] }", "knows no `dee`", "did you mean `de`?"),
        ("{ phone = [] }", "is empty", "name one or more"),
        ("{ pan = \"viza\" }", "knows no `viza`", "did you mean `visa`?"),
        ("{ phone = \"US\", by = \"person\" }", "but this is a member of an entity", "codes"),
        ("{ email = \"person\" }", "an address needs a name", "person_name"),
        ("{ email = \"nobody\" }", "`nobody` is neither", "known"),
        ("{ coordinates = \"person.home\" }", "within_km", "within_km = 5"),
        ("{ coordinates = \"person.home\", within_km = 900 }", "500", ""),
        ("{ coordinates = \"person.name\", within_km = 9 }", "no part `latitude`", "first"),
        ("{ uuid = 4 }", "`uuid` takes no value", "\"uuid\""),
        ("{ ipv4 = \"public\" }", "public", "documentation"),
        ("{ hash = 200 }", "128", ""),
        ("\"coordinates\"", "no generator `coordinates`", "takes a value"),
        ("\"emial\"", "no generator `emial`", "did you mean \"email\"?"),
        ("{ attribute = \"person.name.middle\" }", "no part `middle`", "first"),
    ] {
        let said = refusal(value);
        assert!(said.contains(what) && said.contains(help), "{value}:\n{said}");
    }
}
