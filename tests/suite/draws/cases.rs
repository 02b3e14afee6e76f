//! Values that others decide, and what cannot be decided.

use super::Draft;

#[test]
fn booleans_and_whole_numbers_decide_like_texts() {
    let draft = Draft {
        lets: "big = { chance = 0.5 }\ncount = { uniform = [-1, 2] }\n".to_owned(),
        ..Draft::of(&[
            ("big", "boolean", "{ attribute = \"yes\" }"),
            (
                "size",
                "string",
                "{ by = \"yes\", cases = { true = { constant = \"L\" }, \
              false = { choice = [\"S\", \"XS\"] } } }",
            ),
            ("count", "int", "{ attribute = \"number\" }"),
            (
                "word",
                "int",
                "{ by = \"number\", cases = { -1 = { uniform = [10, 19] } }, \
              default = { uniform = [20, 29] } }",
            ),
        ])
    };
    let draft =
        Draft { lets: draft.lets.replace("big", "yes").replace("count", "number"), ..draft };
    let rows = draft.rows(2_000);
    for row in &rows {
        assert_eq!(row[0] == true, row[1] == "L", "{row:?}");
        assert_eq!(row[2] == -1, row[3].as_i64().unwrap() < 20, "{row:?}");
    }
    assert!(rows.iter().any(|row| row[1] == "XS") && rows.iter().any(|row| row[2] == -1));
}

#[test]
fn what_cannot_be_is_refused_with_its_line() {
    let tables = "[tables.kinds]\nrows = [{ name = \"a\", share = \"x\" }]\n\
                  [entities.shop]\ncount = 9\n";
    for (generator, told) in [
        ("{ expression = \"other + 1\" }", "refers to itself"),
        ("{ expression = \"amonut * 2\" }", "did you mean `amount`"),
        ("{ attribute = \"shop.name\" }", "no attribute `name`"),
        ("{ entity = \"shp\" }", "did you mean `shop`"),
        ("{ table = \"kind\" }", "did you mean `kinds`"),
        ("{ table = \"kinds\", column = \"nam\" }", "no column `nam`"),
        (
            "{ table = \"kinds\", weight = \"share\" }",
            "`x` in column `share` of table `kinds`, row 1",
        ),
        ("{ choice = { a = 1, b = -1 } }", "below 0"),
        ("{ choice = { a = 0 } }", "only weights of 0"),
        ("{ expression = \"amount * amount * amount * amount * amount\" }", "64 bits"),
        ("{ by = \"amount\", cases = { 1 = { constant = 1 } } }", "known values"),
        ("{ by = \"flag\", cases = { yes = { constant = 1 } } }", "never has the value `yes`"),
        ("{ by = \"flag\", cases = { true = { constant = 1 } } }", "the value `false`"),
        ("{ chance = 1.5 }", "0 to 1"),
    ] {
        let lets = format!(
            "amount = {{ uniform = [0, 1000000] }}\nflag = {{ chance = 0.5 }}\n\
             other = {{ expression = \"x + 1\" }}\nx = {generator}"
        );
        let draft = Draft {
            more: tables.to_owned(),
            lets,
            ..Draft::of(&[("id", "string", "\"identity\"")])
        };
        let refusal = draft.refusal();
        assert!(refusal.replace("\n  │ ", "").contains(told), "{generator}: {refusal}");
        assert!(refusal.contains("[model.toml:"), "{generator}: {refusal}");
    }
}

#[test]
fn a_type_that_does_not_fit_its_generator_is_refused() {
    for (kind, generator, told) in [
        ("int", "{ choice = [\"a\", \"b\"] }", "is needed"),
        ("int", "{ uniform = [0.5, 1.5], digits = 1 }", "whole numbers"),
        ("int", "{ uniform = [0, 4000000000] }", "holds"),
        ("boolean", "{ uniform = [0, 1] }", "a whole number"),
        ("string", "{ chance = 0.5 }", "true or false"),
        ("long", "\"identity\"", "identity"),
    ] {
        let refusal = Draft::of(&[("x", kind, generator)]).refusal();
        assert!(refusal.contains(told) && refusal.contains("[model.toml:12:"), "{kind}: {refusal}");
    }
}
