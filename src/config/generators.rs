//! The keys of generators: one line each, for the reader, its messages and the JSON Schema.

mod words;

/// A generator that is written as a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The key that says which generator a table is.
    pub(super) key: &'static str,
    /// What stands behind the key, as JSON Schema.
    pub(super) shape: &'static str,
    /// The [`BESIDE`] keys that it takes; `when` and `else` go without saying.
    pub(super) beside: &'static [&'static str],
    /// What it gives, in a few words: editors show it.
    pub(super) gives: &'static str,
}

/// Generators that take nothing and are written as bare text, and what they give.
const BARE: &[(&str, &str)] = &[
    ("identity", "who the event is, as a UUID"),
    ("event_time", "the time of the event"),
    ("sibling", "which of the events that follow the same one it is, from 1"),
    ("null", "null in every row"),
];

const TEXT: &str = r##"{ "$ref": "#/$defs/text" }"##;
const PATH: &str = r##"{ "$ref": "#/$defs/path" }"##;
const NUMBER: &str = r#"{ "type": "number" }"#;
const FORMAT: &str = r##"{ "$ref": "#/$defs/format" }"##;
const MOMENT: &str = r##"{ "$ref": "#/$defs/moment" }"##;
const GENERATOR: &str = r##"{ "$ref": "#/$defs/generator" }"##;
/// A number, or a column of the row that `by` leads to.
const PARAMETER: &str = r##"{ "anyOf": [{ "type": "number" }, { "$ref": "#/$defs/text" }] }"##;

/// What stands beside every distribution of numbers.
const OF_NUMBERS: &[&str] = &["by", "min", "max", "digits", "round"];

/// The generators that are tables. A new one needs a line here, and its reader in `resolve`.
const FORMS: &[Form] = &[
    Form {
        key: "local_time",
        shape: PATH,
        beside: &[],
        gives: "the event time as RFC 3339 in the zone that the path leads to",
    },
    Form {
        key: "constant",
        shape: r#"{ "type": ["string", "number", "boolean", "object"] }"#,
        beside: &[],
        gives: "always the same",
    },
    Form {
        key: "choice",
        shape: r##"{ "$ref": "#/$defs/choice" }"##,
        beside: &[],
        gives: "one of some texts, by weight",
    },
    Form {
        key: "table",
        shape: TEXT,
        beside: &["weight", "column"],
        gives: "a row of a table, by weight",
    },
    Form {
        key: "uniform",
        shape: r##"{ "$ref": "#/$defs/uniform" }"##,
        beside: OF_NUMBERS,
        gives: "a number between two, both included",
    },
    Form {
        key: "lognormal",
        shape: r##"{ "$ref": "#/$defs/lognormal" }"##,
        beside: OF_NUMBERS,
        gives: "e to the power of (ln median + sigma · z)",
    },
    Form {
        key: "normal",
        shape: r##"{ "$ref": "#/$defs/normal" }"##,
        beside: OF_NUMBERS,
        gives: "mean + sd · z",
    },
    Form {
        key: "exponential",
        shape: r##"{ "$ref": "#/$defs/exponential" }"##,
        beside: OF_NUMBERS,
        gives: "a waiting time of that mean",
    },
    Form {
        key: "pareto",
        shape: r##"{ "$ref": "#/$defs/pareto" }"##,
        beside: OF_NUMBERS,
        gives: "nothing below a scale, and a tail that falls like x^−shape",
    },
    Form {
        key: "zipf",
        shape: r##"{ "$ref": "#/$defs/zipf" }"##,
        beside: OF_NUMBERS,
        gives: "1 to count, the r-th in proportion to r^−exponent",
    },
    Form {
        key: "histogram",
        shape: r##"{ "$ref": "#/$defs/histogram" }"##,
        beside: OF_NUMBERS,
        gives: "bins by weight, even inside a bin",
    },
    Form {
        key: "mixture",
        shape: r##"{ "$ref": "#/$defs/mixture" }"##,
        beside: OF_NUMBERS,
        gives: "one of several distributions, by weight",
    },
    Form { key: "chance", shape: PARAMETER, beside: &["by"], gives: "true with that probability" },
    Form {
        key: "cases",
        shape: r##"{ "type": "object", "additionalProperties": { "$ref": "#/$defs/generator" } }"##,
        beside: &["by", "default"],
        gives: "another generator for each value of a text",
    },
    Form {
        key: "entity",
        shape: TEXT,
        beside: &["with", "of", "near", "within_km", "format"],
        gives: "a member of an entity",
    },
    Form {
        key: "habit",
        shape: TEXT,
        beside: &["of", "favourites", "share", "exponent", "with", "near", "within_km", "format"],
        gives: "a member that is mostly one of another's favourites",
    },
    Form {
        key: "near",
        shape: PATH,
        beside: &["within_km", "weight"],
        gives: "a row of the same table, near that row",
    },
    Form {
        key: "favourite",
        shape: r##"{ "$ref": "#/$defs/count" }"##,
        beside: &["of", "share", "exponent"],
        gives: "which of a member's favourites it is",
    },
    Form {
        key: "period",
        shape: r##"{ "$ref": "#/$defs/duration" }"##,
        beside: &["of", "begins", "zone"],
        gives: "which of a member's periods it is",
    },
    Form {
        key: "attribute",
        shape: PATH,
        beside: &["column", "format", "at"],
        gives: "what a path leads to",
    },
    Form {
        key: "walk",
        shape: r##"{ "$ref": "#/$defs/walk" }"##,
        beside: &["min", "max", "digits"],
        gives: "a member's value that wanders over time",
    },
    Form {
        key: "highest_of",
        shape: PATH,
        beside: &["from", "to"],
        gives: "the highest value of a walk between two times",
    },
    Form {
        key: "lowest_of",
        shape: PATH,
        beside: &["from", "to"],
        gives: "the lowest value of a walk between two times",
    },
    Form { key: "template", shape: TEXT, beside: &[], gives: "text with paths in braces" },
    Form { key: "regex", shape: TEXT, beside: &["length"], gives: "random text of that form" },
    Form {
        key: "token",
        shape: r#"{ "enum": ["decimal", "hex", "base36"] }"#,
        beside: &["length", "of"],
        gives: "text that is unique for each event or member",
    },
    Form { key: "expression", shape: TEXT, beside: &[], gives: "what an expression comes to" },
    Form {
        key: "record",
        shape: r##"{ "type": "object", "additionalProperties": { "$ref": "#/$defs/generator" } }"##,
        beside: &[],
        gives: "fields that are made together",
    },
    Form {
        key: "array",
        shape: GENERATOR,
        beside: &["length"],
        gives: "items, each drawn for itself",
    },
    Form {
        key: "map",
        shape: GENERATOR,
        beside: &["keys", "length"],
        gives: "values by keys, each drawn for itself",
    },
    Form {
        key: "any",
        shape: r##"{ "$ref": "#/$defs/any" }"##,
        beside: &[],
        gives: "one of several generators, which need not be of one kind",
    },
    Form {
        key: "bytes",
        shape: r##"{ "anyOf": [{ "$ref": "#/$defs/count" }, { "$ref": "#/$defs/counts" }] }"##,
        beside: &[],
        gives: "random bytes, so many or between two numbers",
    },
    Form {
        key: "counter",
        shape: r##"{ "$ref": "#/$defs/counter" }"##,
        beside: &[],
        gives: "numbers that go on from event to event",
    },
];

/// Keys that stand beside a generator's own, with their shapes as JSON Schema.
pub(super) const BESIDE: &[(&str, &str)] = &[
    ("when", TEXT),
    ("else", GENERATOR),
    ("once", PATH),
    ("favourites", r##"{ "$ref": "#/$defs/count" }"##),
    ("share", r#"{ "type": "number", "minimum": 0, "maximum": 1 }"#),
    ("exponent", r#"{ "type": "number", "minimum": 0, "maximum": 4 }"#),
    ("near", PATH),
    ("within_km", r#"{ "type": "number", "exclusiveMinimum": 0 }"#),
    ("begins", TEXT),
    ("zone", PATH),
    ("format", FORMAT),
    ("column", TEXT),
    ("by", PATH),
    ("min", NUMBER),
    ("max", NUMBER),
    ("digits", r#"{ "type": "integer", "minimum": 0 }"#),
    ("round", r#"{ "type": "number", "exclusiveMinimum": 0 }"#),
    ("weight", TEXT),
    ("with", r##"{ "type": "object", "additionalProperties": { "$ref": "#/$defs/path" } }"##),
    ("of", PATH),
    ("length", r##"{ "$ref": "#/$defs/length" }"##),
    ("keys", GENERATOR),
    ("default", GENERATOR),
    ("dealt", r#"{ "type": "boolean" }"#),
    ("at", MOMENT),
    ("from", MOMENT),
    ("to", MOMENT),
    ("changes", r##"{ "$ref": "#/$defs/duration" }"##),
];

/// Keys beside the generators of attributes only.
pub(super) const BESIDE_OF_ATTRIBUTES: &[&str] = &["dealt", "changes"];

/// The names of all generators: bare ones, and keys of tables.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    let bare_only = BARE.iter().map(|(name, _)| *name);
    bare_only.chain(keys())
}

/// The generators that are tables.
pub(super) fn forms() -> impl Iterator<Item = &'static Form> + Clone {
    FORMS.iter().chain(words::FORMS)
}

/// The keys that say which generator a table is.
pub(super) fn keys() -> impl Iterator<Item = &'static str> + Clone {
    forms().map(|form| form.key)
}

/// Generators that are bare text, and what they give.
pub(super) fn bare_forms() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    let words = words::FORMS.iter().filter(|form| !words::NEED_A_VALUE.contains(&form.key));
    BARE.iter().copied().chain(words.map(|form| (form.key, form.gives)))
}

/// The names of generators that are bare text.
pub(super) fn bare() -> impl Iterator<Item = &'static str> + Clone {
    bare_forms().map(|(name, _)| name)
}

/// Whether a key stands beside those of generators.
pub(super) fn is_beside(key: &str) -> bool {
    BESIDE.iter().any(|(name, _)| *name == key)
}

/// The keys that tell a generator from fields inside a field: words such as `city` do not, as fields
/// have such names too.
pub(super) fn telling() -> impl Iterator<Item = &'static str> {
    let beside = BESIDE.iter().map(|(key, _)| *key);
    let beside = beside.filter(|key| !matches!(*key, "at" | "from" | "to"));
    FORMS.iter().map(|form| form.key).chain(beside)
}
