//! The keys of generators that give what people know.

use super::{Form, TEXT};

/// One code, several, or true for what the bare name gives.
const CODES: &str = r##"{ "anyOf": [
    { "$ref": "#/$defs/text" },
    { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/text" } },
    { "const": true }
] }"##;
const PATH: &str = r##"{ "anyOf": [{ "$ref": "#/$defs/path" }, { "const": true }] }"##;
const NETWORK: &str =
    r#"{ "enum": ["documentation", "private", "benchmark", "shared", "reserved", true] }"#;
const LENGTH: &str = r#"{ "type": "integer", "minimum": 1, "maximum": 128 }"#;
const YES: &str = r#"{ "const": true }"#;

/// Those that are no bare names.
pub(super) const NEED_A_VALUE: &[&str] = &["coordinates", "lorem", "hash"];

/// The generators; all others are bare names too.
pub(super) const FORMS: &[Form] = &[
    Form {
        key: "person_name",
        shape: CODES,
        beside: &["by"],
        gives: "the name of a person, by language",
    },
    Form {
        key: "email",
        shape: PATH,
        beside: &[],
        gives: "an address at example.com and its like, of a name",
    },
    Form {
        key: "phone",
        shape: CODES,
        beside: &["by"],
        gives: "a telephone number of a range for fiction, by country",
    },
    Form {
        key: "company",
        shape: CODES,
        beside: &["by"],
        gives: "the name of a company, by language",
    },
    Form {
        key: "street",
        shape: CODES,
        beside: &["by"],
        gives: "a street with the number of a house, by language",
    },
    Form { key: "city", shape: CODES, beside: &["by"], gives: "a city, by country" },
    Form { key: "country", shape: CODES, beside: &["by"], gives: "a country, by its code" },
    Form {
        key: "currency",
        shape: CODES,
        beside: &["by"],
        gives: "a currency, by its code or a country",
    },
    Form {
        key: "coordinates",
        shape: TEXT,
        beside: &["within_km"],
        gives: "latitude and longitude near a place",
    },
    Form {
        key: "iban",
        shape: CODES,
        beside: &["by"],
        gives: "the number of an account at a bank that is none, by country",
    },
    Form {
        key: "pan",
        shape: CODES,
        beside: &["by"],
        gives: "the number of a card for tests, by scheme",
    },
    Form {
        key: "ipv4",
        shape: NETWORK,
        beside: &[],
        gives: "an address of a range that nobody has",
    },
    Form {
        key: "ipv6",
        shape: YES,
        beside: &[],
        gives: "an address of the range for documentation",
    },
    Form { key: "mac", shape: YES, beside: &[], gives: "a locally administered address" },
    Form {
        key: "user_agent",
        shape: CODES,
        beside: &["by"],
        gives: "what a browser says that it is, by kind of device",
    },
    Form { key: "uuid", shape: YES, beside: &[], gives: "a random UUID, version 4" },
    Form { key: "product", shape: YES, beside: &[], gives: "the name of something to buy" },
    Form { key: "lorem", shape: LENGTH, beside: &[], gives: "so many words that mean nothing" },
    Form { key: "hash", shape: LENGTH, beside: &[], gives: "so many hexadecimal digits" },
];
