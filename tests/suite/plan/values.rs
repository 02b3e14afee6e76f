//! Values and the types of the schema that hold them: units of times, branches, bounds.

use std::collections::BTreeSet;

use apache_avro::types::Value;
use serde_json::{Value as Json, json};

use crate::lists::model::{field, first, items, opened, plan, refused, text, whole};

const START_US: i64 = 1_772_409_600_000_000;
const DAY_US: i64 = 86_400_000_000;

fn logical(base: &str, name: &str) -> Json {
    json!({"type": base, "logicalType": name})
}

/// The number of a place whatever its type.
fn number(value: &Value) -> i64 {
    match opened(value) {
        Value::Date(value) | Value::TimeMillis(value) => i64::from(*value),
        Value::TimeMicros(value)
        | Value::TimestampMillis(value)
        | Value::TimestampMicros(value)
        | Value::TimestampNanos(value)
        | Value::LocalTimestampMillis(value)
        | Value::LocalTimestampMicros(value)
        | Value::LocalTimestampNanos(value) => *value,
        other => whole(other),
    }
}

/// The rows of a schema with the field `f` of a type, and `let`s.
fn rows(ty: &Json, lets: &str, generator: &str) -> Vec<Value> {
    let fields = json!([{"name": "us", "type": "long"}, {"name": "f", "type": ty}]);
    let text = format!("{lets}\n[streams.s.fields]\nus = \"event_time\"\nf = {generator}\n");
    first(&plan(&fields, &text), 300)
}

/// Why a value is refused in a field `f` of a type.
fn told(ty: &Json, generator: &str) -> String {
    let text = format!("[streams.s.fields]\nf = {generator}\n");
    refused(&json!([{"name": "f", "type": ty}]), &text)
}

#[test]
fn a_time_keeps_its_unit_through_whatever_it_passes() {
    let lets = "[streams.s.let]\nt = \"event_time\"\nflag = { chance = 0.5 }\n";
    let ways = [
        ("\"event_time\"", 0),
        ("{ attribute = \"t\" }", 0),
        ("{ by = \"flag\", cases = { true = \"event_time\", false = { attribute = \"t\" } } }", 0),
        ("{ when = \"flag\", attribute = \"t\", else = \"event_time\" }", 0),
        ("{ expression = \"if flag then t else t + 0\" }", 0),
        ("{ expression = \"max(t, 0)\" }", 0),
        ("{ expression = \"t + 5000000\" }", 5_000_000),
        ("{ expression = \"round(t - 2.25)\" }", -2),
        ("{ any = [\"event_time\", { expression = \"t + 0\" }, { attribute = \"t\" }] }", 0),
    ];
    let units = |us: i64| {
        [
            (logical("long", "timestamp-millis"), us.div_euclid(1_000)),
            (logical("long", "timestamp-micros"), us),
            (logical("long", "timestamp-nanos"), us * 1_000),
            (logical("long", "local-timestamp-millis"), us.div_euclid(1_000)),
            (logical("int", "date"), us.div_euclid(DAY_US)),
            (logical("int", "time-millis"), us.rem_euclid(DAY_US) / 1_000),
            (logical("long", "time-micros"), us.rem_euclid(DAY_US)),
            (json!("long"), us),
        ]
    };
    for (way, moved) in ways {
        for (at, (ty, _)) in units(0).into_iter().enumerate() {
            for row in rows(&ty, lets, way) {
                let us = whole(field(&row, "us"));
                assert!(us >= START_US);
                let wanted = units(us + moved)[at].1;
                assert_eq!(number(field(&row, "f")), wanted, "{way} in {ty}");
            }
        }
    }
    let apart = "{ expression = \"t - t + 7\" }";
    let ty = logical("long", "timestamp-millis");
    assert!(rows(&ty, lets, apart).iter().all(|row| number(field(row, "f")) == 7));
}

#[test]
fn a_union_without_null_takes_a_plain_generator() {
    let millis = logical("long", "timestamp-millis");
    for (ty, generator, branch) in [
        (json!(["string", "int"]), "{ constant = 5 }", 1),
        (json!(["string", "int"]), "{ any = [{ constant = 5 }] }", 1),
        (json!(["int"]), "{ constant = 5 }", 0),
        (json!([millis, "string"]), "\"event_time\"", 0),
        (json!(["int", "string"]), "{ constant = \"5\" }", 1),
        (json!(["float", "long"]), "{ uniform = [1, 5] }", 0),
        (json!(["int", "string"]), "{ regex = \"[a-z]{3}\" }", 1),
    ] {
        for row in rows(&ty, "", generator) {
            let Value::Record(fields) = row else { unreachable!("a record") };
            assert!(matches!(fields[1].1, Value::Union(at, _) if at == branch), "{ty}: {fields:?}");
        }
    }
}

#[test]
fn an_optional_text_takes_what_a_text_takes_and_numbers_the_branch_that_holds_them() {
    for (others, generator, branch) in [
        (json!(["null", "string"]), "{ uniform = [1, 5] }", 1),
        (json!(["null", "string"]), "\"event_time\"", 1),
        (json!(["null", "string"]), "{ uniform = [1, 5], digits = 2 }", 1),
        (json!(["null", "bytes"]), "{ uniform = [1, 5] }", 1),
        (json!(["null", "string", "long"]), "{ uniform = [1, 5] }", 2),
        (json!(["null", "int", "long"]), "{ uniform = [0, 3000000000] }", 2),
        (json!(["null", "int", "string"]), "{ uniform = [0, 3000000000] }", 2),
        (json!(["null", "int", "long"]), "{ choice = [\"1\", \"3000000000\"] }", 2),
        (json!(["null", "int", "long"]), "{ uniform = [0, 9] }", 1),
    ] {
        for row in rows(&others, "", generator) {
            let Value::Record(fields) = row else { unreachable!("a record") };
            assert!(
                matches!(fields[1].1, Value::Union(at, _) if at == branch),
                "{others}: {fields:?}"
            );
        }
    }
}

#[test]
fn bounds_of_times_of_day_and_the_form_of_uuids_are_known_before_a_run() {
    for (ty, generator, holds) in [
        (logical("int", "time-millis"), "{ uniform = [0, 90000000] }", "0 to 86399999"),
        (logical("int", "time-millis"), "{ uniform = [0, 86400000] }", "0 to 86399999"),
        (logical("long", "time-micros"), "{ uniform = [-5, 5] }", "0 to 86399999999"),
        (logical("string", "uuid"), "{ regex = \"[a-z]{4}\" }", "this makes other texts"),
        (logical("string", "uuid"), "{ choice = [\"x\", \"y\"] }", "`x` is none"),
        (logical("string", "uuid"), "{ hash = 32 }", "this makes other texts"),
        (logical("string", "uuid"), "{ regex = \"[a-z]{36}\" }", "this makes other texts"),
        (
            logical("string", "uuid"),
            "{ constant = \"00000000-0000-0000-0000-00000000000g\" }",
            "000g` is none",
        ),
    ] {
        let said = told(&ty, generator);
        assert!(said.contains(holds) && said.contains("model.toml:"), "{said}");
    }
    let uuid = logical("string", "uuid");
    for good in [
        "\"uuid\"",
        "{ constant = \"00000000-0000-0000-0000-00000000000a\" }",
        "{ regex = \"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\" }",
    ] {
        assert!(rows(&uuid, "", good).iter().all(|row| matches!(field(row, "f"), Value::Uuid(_))));
    }
    let fits = rows(&logical("int", "time-millis"), "", "{ uniform = [0, 86399999] }");
    assert_eq!(fits.len(), 300);
}

#[test]
fn a_member_is_a_number_where_one_is_needed() {
    let entity = "[streams.s.let]\nn = { template = \"{user}\" }\n\
                  [entities.user]\ncount = 50\n[entities.card]\ncount = 50\nlifetime = \"1m\"\n";
    for ty in [json!("int"), json!("long"), json!("double"), json!(["null", "long"])] {
        for way in [
            "{ entity = \"user\" }",
            "{ attribute = \"user\" }",
            "{ expression = \"user\" }",
            "{ expression = \"user + 0\" }",
        ] {
            let seen: BTreeSet<String> =
                rows(&ty, entity, way).iter().map(|row| format!("{:?}", field(row, "f"))).collect();
            assert!((45..=50).contains(&seen.len()), "{way} in {ty}: {seen:?}");
        }
    }
    for way in [
        "{ entity = \"user\", format = \"{}\" }",
        "{ template = \"{user}\" }",
        "{ attribute = \"n\" }",
        "{ entity = \"card\" }",
        "{ token = \"decimal\", length = 19, of = \"user\" }",
    ] {
        let made = rows(&json!("long"), entity, way);
        let seen: BTreeSet<i64> = made.iter().map(|row| whole(field(row, "f"))).collect();
        assert!((45..=300).contains(&seen.len()), "{way}: {}", seen.len());
        assert!(seen.iter().all(|number| *number >= 0));
    }
    let said = refused(
        &json!([{"name": "f", "type": "boolean"}]),
        "[entities.a]\ncount = 5\n[entities.b]\ncount = 5\n[streams.s.fields]\nf = { expression = \"a == b\" }\n",
    );
    assert!(said.contains("no `a` is a `b`"), "{said}");
}

#[test]
fn members_that_are_drawn_anew_are_not_the_row_s() {
    let strings = json!({"type": "array", "items": "string"});
    let fields = json!([
        {"name": "own", "type": "string"}, {"name": "other", "type": "string"},
        {"name": "own_again", "type": "string"},
        {"name": "items", "type": strings}, {"name": "anew", "type": strings},
        {"name": "rows", "type": strings},
    ]);
    let text = "[entities.m]\ncount = 50\n[streams.s.fields]\nown = { entity = \"m\" }\n\
        other = { entity = \"m\", with = {} }\nown_again = { entity = \"m\" }\n\
        items = { array = { entity = \"m\" }, length = 4 }\n\
        anew = { array = { entity = \"m\", with = {} }, length = 4 }\n\
        rows = { array = { attribute = \"m\" }, length = 4 }\n";
    let rows = first(&plan(&fields, text), 500);
    let (mut same, mut alike) = (0, 0);
    for row in &rows {
        let own = self::text(field(row, "own"));
        assert_eq!(own, self::text(field(row, "own_again")));
        same += usize::from(own == self::text(field(row, "other")));
        for name in ["items", "anew"] {
            let list = items(field(row, name));
            alike += list.iter().filter(|item| self::text(item) == own).count();
        }
        assert!(items(field(row, "rows")).iter().all(|item| self::text(item) == own));
    }
    // One of 50: 10 of 500, and 80 of 4,000.
    assert!((1..=25).contains(&same) && (45..=120).contains(&alike), "{same}, {alike}");
}

#[test]
fn a_local_time_fills_what_a_clock_shows() {
    let lets = "[tables.z]\nrows = [{ zone = \"Asia/Kolkata\" }]\n[streams.s.let]\nz = { table = \"z\" }\n";
    let shift = 19_800_000_000;
    for (ty, unit) in [
        (logical("long", "local-timestamp-micros"), 1),
        (logical("long", "local-timestamp-millis"), 1_000),
        (json!(["null", logical("long", "local-timestamp-millis")]), 1_000),
        (logical("int", "date"), DAY_US),
    ] {
        for row in rows(&ty, lets, "{ local_time = \"z.zone\" }") {
            let wanted = (whole(field(&row, "us")) + shift).div_euclid(unit);
            assert_eq!(number(field(&row, "f")), wanted, "{ty}");
        }
    }
    let utc = logical("long", "timestamp-millis");
    let text = format!("{lets}[streams.s.fields]\nf = {{ local_time = \"z.zone\" }}\n");
    let said = refused(&json!([{"name": "f", "type": utc}]), &text);
    assert!(said.contains("this is text"), "{said}");
}

#[test]
fn streams_of_one_topic_that_would_create_different_ones_are_refused() {
    let fields = json!([{"name": "f", "type": "int"}]);
    let text = |first: &str, second: &str| {
        format!(
            "value.format = \"json\"\n[streams.s.fields]\nf = {{ constant = 1 }}\n\
             [streams.one]\ntopic = {{ name = \"two\", {first} }}\nschema = \"E.avsc\"\nvalue.format = \"json\"\n\
             [streams.two]\ntopic = {{ name = \"two\", {second} }}\nschema = \"E.avsc\"\nvalue.format = \"json\"\n"
        )
    };
    for (first, second, wanted) in [
        ("partitions = 3", "partitions = 5", "`partitions` is 3, the other 5"),
        ("replicas = 3", "partitions = 5, replicas = 1", "`replicas` is 3, the other 1"),
        ("config = { a = \"x\" }", "config = { a = \"y\" }", "`a` is x, the other y"),
    ] {
        let said = refused(&fields, &text(first, second));
        assert!(said.contains(wanted), "{said}");
    }
    plan(&fields, &text("partitions = 3", "partitions = 3"));
    plan(&fields, &text("partitions = 3", "replicas = 1"));
}

#[test]
fn bounds_and_codes_that_leave_nothing_to_draw_are_refused() {
    let said = told(&json!("int"), "{ uniform = [0, 100], min = 500 }");
    assert!(said.contains("leaves nothing of 0 to 100"), "{said}");
    let said = told(&json!("int"), "{ uniform = [0, 100], max = -1 }");
    assert!(said.contains("`streams.s.fields.f.max` leaves nothing"), "{said}");
    rows(&json!("int"), "", "{ uniform = [0, 100], min = 100 }");
    let said = told(&json!("string"), "{ person_name = \"en\", by = \"f\" }");
    assert!(said.contains("refers to itself"), "{said}");
    let lets = "[streams.s.let]\ncity = { choice = [\"Paris\", \"London\"] }\n[streams.s.fields]\n";
    let name = "f = { person_name = \"en\", by = \"city\" }\n";
    let said = refused(&json!([{"name": "f", "type": "string"}]), &format!("{lets}{name}"));
    assert!(said.contains("none of the values of `city` is a code"), "{said}");
}
