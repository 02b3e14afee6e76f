//! Models made up at random: whatever they hold, their events are the same however they are made,
//! another library reads them, and what follows comes after what it follows.

#![expect(clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use proptest::prelude::*;
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::{Options, Shard};

use crate::determinism::{Event, events};
use crate::members::read;

/// What is made of each model.
const WINDOW_US: std::ops::Range<u64> = 7_300_000..91_234_567;

/// A field: which of [`FORMS`], and two parameters of it.
type Field = (usize, u16, u16);

/// A stream that follows the root, or the one before it: when, how often, how many, its fields.
#[derive(Clone, Debug)]
struct Follower {
    delay: usize,
    percent: u8,
    count: u8,
    gated: bool,
    fields: Vec<Field>,
}

#[derive(Clone, Debug)]
struct Model {
    seed: u32,
    rate: u16,
    lanes: u16,
    members: u32,
    popularity: usize,
    attributes: [(u16, u16); 2],
    fields: Vec<Field>,
    followers: Vec<Follower>,
}

const DELAYS: [&str; 7] = [
    "\"0s\"",
    "\"4s\"",
    "{ uniform = [\"1s\", \"50s\"] }",
    "{ exponential = { mean = \"3s\" }, max = \"1m\" }",
    "{ lognormal = { median = \"20s\", sigma = 0.7 }, min = \"1s\", max = \"5m\" }",
    "{ normal = { mean = \"9s\", sd = \"3s\" }, min = \"0s\" }",
    "{ mixture = [{ weight = 3, exponential = { mean = \"1s\" } }, { weight = 1, normal = { mean = \"40s\", sd = \"5s\" } }], max = \"2m\" }",
];

const POPULARITIES: [&str; 3] =
    ["\"uniform\"", "{ zipf = 1.1 }", "{ histogram = [[0.1, 0.7], [0.9, 0.3]] }"];

/// The type in the schema, and the generator; `<a>` < `<b>` are parameters, `<n>` is from 1
/// to 5.
const FORMS: [(&str, &str); 30] = [
    (r#""long""#, "{ uniform = [<a>, <b>] }"),
    (r#""double""#, "{ uniform = [<a>, <b>], digits = 3 }"),
    (r#""long""#, "{ lognormal = { median = <b>, sigma = 1.3 }, min = 1 }"),
    (r#""double""#, "{ normal = { mean = <a>, sd = <b> }, digits = 2 }"),
    (r#""int""#, "{ exponential = { mean = <b> } }"),
    (r#""float""#, "{ pareto = { scale = <b>, shape = 1.5 }, max = 1000000, digits = 1 }"),
    (r#""int""#, "{ zipf = { count = <b>, exponent = 1.2 } }"),
    (r#""double""#, "{ histogram = { edges = [0, <b>, 100000], weights = [3, 1] }, digits = 2 }"),
    (r#""string""#, "{ choice = { a = <b>, b = 3, cc = 0.5 } }"),
    (
        r#"{"type": "enum", "name": "E#", "symbols": ["X", "Y", "Z"]}"#,
        "{ choice = { X = 1, Z = <b> } }",
    ),
    (r#""boolean""#, "{ chance = 0.3 }"),
    (r#"["null", "long"]"#, "{ when = \"flag\", uniform = [<a>, <b>] }"),
    (r#""string""#, "{ regex = \"[A-Z]{<n>}x[0-9a-f]{6}\" }"),
    (r#""string""#, "{ regex = \"[a-c]+[0-9]*\", length = [1, 12] }"),
    (r#""string""#, "{ template = \"{base:06}/{who}\" }"),
    (r#""long""#, "{ expression = \"base * 2 + min(base, <b>) - max(base, <a>)\" }"),
    (r#""boolean""#, "{ expression = \"base >= <a> and not flag\" }"),
    (
        r#"{"type": "array", "items": "long"}"#,
        "{ array = { uniform = [<a>, <b>] }, length = [0, <n>] }",
    ),
    (
        r#"{"type": "map", "values": "string"}"#,
        "{ map = { regex = \"[a-z]{4}\" }, keys = { choice = [\"k\", \"l\", \"m\", \"n\", \"o\", \"p\"] }, length = [0, <n>] }",
    ),
    (
        r#"{"type": "record", "name": "R#", "fields": [{"name": "p", "type": "int"}, {"name": "q", "type": "long"}]}"#,
        "{ record = { p = { uniform = [<a>, <b>] }, q = { expression = \"p * p\" } } }",
    ),
    (
        r#"["null", "string", "long"]"#,
        "{ any = [{ weight = 2, value = { uniform = [<a>, <b>] } }, { weight = 1, value = { constant = \"t\" } }, \"null\"] }",
    ),
    (r#""bytes""#, "{ bytes = <n> }"),
    (r#""string""#, "{ token = \"base36\", length = 16 }"),
    (r#""long""#, "{ attribute = \"member.size\" }"),
    (r#""string""#, "{ attribute = \"member.kind\" }"),
    (
        r#""string""#,
        "{ by = \"member.kind\", cases = { big = { constant = \"B\" } }, default = { regex = \"[0-9]{3}\" } }",
    ),
    (r#""string""#, "\"person_name\""),
    (r#""string""#, "{ iban = \"DE\" }"),
    (r#"{"type": "long", "logicalType": "timestamp-millis"}"#, "\"event_time\""),
    (
        r#"{"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}"#,
        "{ uniform = [<a>, <b>], digits = 2 }",
    ),
];

fn field() -> impl Strategy<Value = Field> {
    (0..FORMS.len(), 0_u16..9_000, 1_u16..9_000)
}

fn follower() -> impl Strategy<Value = Follower> {
    // Three and three would number more events than a token of 63 bits can tell apart.
    let when = (0..DELAYS.len(), 1_u8..=100, 1_u8..=2, any::<bool>());
    (when, prop::collection::vec(field(), 0..4)).prop_map(
        |((delay, percent, count, gated), fields)| Follower {
            delay,
            percent,
            count,
            gated,
            fields,
        },
    )
}

fn model() -> impl Strategy<Value = Model> {
    let who = (1_u32..50_000, 0..POPULARITIES.len(), any::<[(u16, u16); 2]>());
    let how = (1_u32.., 1_u16..200, prop::sample::select(vec![3_u16, 7, 16, 64, 100]));
    let what = prop::collection::vec(field(), 0..8);
    let then = prop::collection::vec(follower(), 0..4);
    (how, who, what, then).prop_map(|((seed, rate, lanes), who, fields, followers)| {
        let (members, popularity, attributes) = who;
        Model { seed, rate, lanes, members, popularity, attributes, fields, followers }
    })
}

impl Model {
    /// Its text, and the schemas by name.
    fn text(&self) -> (String, Vec<(String, String)>) {
        let mut text = format!(
            "seed = {}\nstart = \"2026-03-02T00:00:00Z\"\nlanes = {}\n[traffic]\nrate = \"{}/s\"\n\
             [entities.member]\ncount = {}\npopularity = {}\n[entities.member.attributes]\n",
            self.seed, self.lanes, self.rate, self.members, POPULARITIES[self.popularity]
        );
        let [(a, b), (c, d)] = self.attributes;
        let (low, high) = (a.min(b), a.max(b));
        let (big, small) = (u32::from(c) + 1, u32::from(d) + 1);
        writeln!(text, "size = {{ uniform = [{low}, {high}] }}").unwrap();
        writeln!(text, "kind = {{ choice = {{ big = {big}, small = {small} }} }}").unwrap();
        let mut schemas = Vec::new();
        for number in 0..=self.followers.len() {
            let follower = number.checked_sub(1).map(|before| &self.followers[before]);
            let fields = follower.map_or(&self.fields, |follower| &follower.fields);
            stream(&mut text, number, follower);
            schemas.push((format!("S{number}.avsc"), schema(number, fields)));
            for (place, (form, a, b)) in fields.iter().enumerate() {
                let (a, b) = (*a.min(b), *a.max(b) + 1);
                let of = [("<a>", a), ("<b>", b), ("<n>", a % 5 + 1)];
                let generator = of.iter().fold(FORMS[*form].1.to_owned(), |text, (mark, value)| {
                    text.replace(mark, &value.to_string())
                });
                writeln!(text, "f{place} = {generator}").unwrap();
            }
        }
        (text, schemas)
    }
}

/// A stream, up to the fields that are its own.
fn stream(text: &mut String, number: usize, follower: Option<&Follower>) {
    writeln!(text, "[streams.s{number}]\ntopic = \"t{number}\"\nschema = \"S{number}.avsc\"")
        .unwrap();
    writeln!(text, "key = \"who\"").unwrap();
    if let Some(Follower { delay, percent, count, gated, .. }) = follower {
        // Every other one follows the one before, the rest the root.
        let above = if number.is_multiple_of(2) { number - 1 } else { 0 };
        let (delay, share) = (DELAYS[*delay], f64::from(*percent) / 100.0);
        writeln!(text, "follows = \"s{above}\"\ndelay = {delay}\nprobability = {share}").unwrap();
        writeln!(text, "count = {{ uniform = [0, {count}] }}").unwrap();
        if *gated {
            writeln!(text, "when = \"s{above}.flag\"").unwrap();
        }
    }
    writeln!(text, "[streams.s{number}.let]\nbase = {{ uniform = [0, 5000] }}").unwrap();
    writeln!(text, "flag = {{ chance = 0.6 }}\n[streams.s{number}.fields]").unwrap();
    writeln!(text, "id = \"identity\"\nat = \"event_time\"").unwrap();
    writeln!(text, "who = {{ entity = \"member\", format = \"m{{:06}}\" }}").unwrap();
    let above = follower.map(|_| if number.is_multiple_of(2) { number - 1 } else { 0 });
    let parent = above.map(|above| format!("{{ attribute = \"s{above}.id\" }}"));
    writeln!(text, "parent = {}", parent.unwrap_or_else(|| "\"null\"".to_owned())).unwrap();
}

fn schema(number: usize, fields: &[Field]) -> String {
    let mut all = vec![
        r#"{"name": "id", "type": {"type": "string", "logicalType": "uuid"}}"#.to_owned(),
        r#"{"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}"#.to_owned(),
        r#"{"name": "who", "type": "string"}"#.to_owned(),
        r#"{"name": "parent", "type": ["null", "string"]}"#.to_owned(),
    ];
    all.extend(fields.iter().enumerate().map(|(place, (form, ..))| {
        let kind = FORMS[*form].0.replace('#', &place.to_string());
        format!(r#"{{"name": "f{place}", "type": {kind}}}"#)
    }));
    format!(r#"{{"type": "record", "name": "S{number}", "fields": [{}]}}"#, all.join(", "))
}

fn window(from: u64, until: u64) -> Options {
    Options { window_us: from..until, ..Options::default() }
}

/// All events in an order that does not depend on how they were made.
fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by(|a, b| (a.due_us, a.stream, &a.datum).cmp(&(b.due_us, b.stream, &b.datum)));
    events
}

/// Who an event is, and what it follows.
fn read_back(plan: &Plan, event: &Event) -> (String, Option<String>) {
    let reader = GenericDatumReader::builder(&plan.streams[event.stream].schema).build().unwrap();
    let mut datum = event.datum.as_slice();
    let Value::Record(fields) = reader.read_value(&mut datum).unwrap() else { panic!("a record") };
    assert!(datum.is_empty(), "{} bytes are left", datum.len());
    let mut id = None;
    let mut parent = None;
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("id", Value::Uuid(uuid)) => id = Some(uuid.to_string()),
            ("at", at) => assert_eq!(at, Value::TimestampMicros(event.due_us)),
            ("who", who) => {
                assert_eq!(who, Value::String(String::from_utf8(event.key.clone()).unwrap()));
            }
            ("parent", Value::Union(1, text)) => {
                let Value::String(text) = *text else { panic!("a text") };
                parent = Some(text);
            }
            _ => {}
        }
    }
    (id.unwrap(), parent)
}

fn check(model: &Model) {
    let (text, schemas) = model.text();
    let schemas: Vec<_> =
        schemas.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let configuration = read(&text, &schemas).unwrap_or_else(|it| panic!("{}", it.render(false)));
    let plan = Plan::compile(&configuration.model, &Inputs::default());
    let plan = Arc::new(plan.unwrap_or_else(|mistakes| panic!("{mistakes:#?}\n{text}")));
    // From the start, so that all that is followed is there.
    let all = events(&plan, window(0, WINDOW_US.end));
    let mut seen: BTreeMap<String, (i64, Vec<u8>, usize)> = BTreeMap::new();
    for event in &all {
        let (id, _) = read_back(&plan, event);
        let known = seen.insert(id, (event.due_us, event.key.clone(), event.stream));
        assert_eq!(known, None, "identities are unique");
    }
    for event in &all {
        let (_, parent) = read_back(&plan, event);
        assert_eq!(parent.is_some(), event.stream > 0);
        if let Some(parent) = parent {
            let (due_us, key, stream) = &seen[&parent];
            assert!(*due_us <= event.due_us && *key == event.key && *stream < event.stream);
        }
    }
    // A window, on two threads, in small batches, by shards, and as the rest of what was made.
    let begin_us = plan.start_us.saturating_add_unsigned(WINDOW_US.start);
    let part = sorted(all.into_iter().filter(|event| event.due_us >= begin_us).collect());
    let (from, until) = (WINDOW_US.start, WINDOW_US.end);
    let middle = from + (until - from) / 3 + 1_234;
    let halves = [window(from, middle), window(middle, until)];
    let shards =
        [0, 1, 2].map(|index| Options { shard: Shard { index, count: 3 }, ..window(from, until) });
    let small = Options { threads: 2, batch_events: 50, ..window(from, until) };
    for ways in [halves.to_vec(), shards.to_vec(), vec![small]] {
        let made: Vec<Event> = ways.into_iter().flat_map(|way| events(&plan, way)).collect();
        assert!(sorted(made) == part, "other events");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn any_model_is_the_same_however_it_is_made(model in model()) {
        check(&model);
    }
}

#[test]
fn every_form_of_a_field_is_filled() {
    let fields = (0..FORMS.len()).map(|form| (form, 40, 300)).collect();
    let follower = Follower { delay: 4, percent: 80, count: 3, gated: true, fields: Vec::new() };
    check(&Model {
        seed: 1,
        rate: 20,
        lanes: 16,
        members: 1_000,
        popularity: 1,
        attributes: [(3, 900), (1, 5)],
        fields,
        followers: vec![follower.clone(), follower],
    });
}
